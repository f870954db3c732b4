//! A lab of network namespaces, in which real memcached, real clients and the real command line meet.
//!
//! | module | what it is |
//! |---|---|
//! | [`lab`] | hosts on a switch, and their end |
//! | [`host`] | one host: commands, sockets, its BPF file system |
//! | [`agent`] | the command line, and its counters |
//! | [`memcached`] | a server on a host, and what it holds |
//! | [`mirror`] | the usual lab: client, old host, new host |
//! | [`client`] | requests over plain sockets |
//! | [`capture`] | what was on a wire |
//! | [`foreign`] | programs of somebody else at the same interface |
//! | [`program`] | a kernel program by itself: packet in, packet out |
//! | [`tally`] | counters as the kernel has them |
//! | [`craft`] | packets made by hand |
//! | [`ports`] | what a target does with a port |
//! | [`sealed`] | what a copy looks like on the wire |
//! | [`wire`] | raw frames at an interface |
//! | [`wait`] | waiting for what has to come, with a deadline |
//!
//! The lab panics where it cannot go on: a test without its lab has no other way to fail.

pub mod agent;
mod bpf;
pub mod capture;
pub mod client;
pub mod craft;
pub mod foreign;
pub mod host;
pub mod lab;
pub mod memcached;
pub mod mirror;
pub mod ports;
pub mod program;
pub mod sealed;
pub mod tally;
pub mod wait;
pub mod wire;

pub use host::Host;
pub use lab::Lab;
