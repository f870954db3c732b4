//! memcached's text protocol, as far as the agent asks servers: a codec without I/O, and a connection.
//!
//! The source is memcached's own `doc/protocol.txt`; what it leaves open is named where it matters.

mod connection;
pub mod dump;
mod lines;
pub mod meta;
mod read;
mod socket;
mod stats;

pub use connection::{Connection, Dump};
pub use lines::Lines;
pub use read::{ASKED_AT_ONCE, Found, Known};
pub use stats::Stats;
