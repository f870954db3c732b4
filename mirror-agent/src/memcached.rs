//! memcached's text protocol, as far as the agent asks servers: a codec without I/O, and a connection.
//!
//! The source is memcached's own `doc/protocol.txt`; what it leaves open is named where it matters.

pub mod base64;
pub mod classic;
mod connection;
pub mod dump;
pub mod endpoint;
pub mod key;
mod lines;
pub mod meta;
mod read;
pub mod refusal;
mod socket;
mod stats;
pub mod store;
pub mod ttl;
pub mod uri;
pub mod watch;

pub use connection::{Connection, Dump};
pub use lines::Lines;
pub use read::{ASKED_AT_ONCE, Found, Known};
pub use stats::Stats;
