//! A lab of network namespaces, in which real memcached, direct clients and the real command line meet.
//!
//! | module | what it is |
//! |---|---|
//! | [`lab`] | hosts on a switch, and their end |
//! | [`host`] | one host: commands, sockets, its BPF file system |
//! | [`agent`] | the command line, and its counters |
//! | [`notes`] | what `attach` warns of, and `status` repeats |
//! | [`memcached`] | a server on a host, and what it holds |
//! | [`release`] | servers of several releases |
//! | [`mirror`] | the usual lab: client, old host, new host |
//! | [`client`] | requests over plain sockets |
//! | [`capture`] | what was on a wire |
//! | [`departures`] | every frame that leaves a host, judged |
//! | [`load`] | clients of both protocols at work while a test does something else |
//! | [`foreign`] | programs of somebody else at the same interface |
//! | [`expected`] | tests of what does not work yet |
//! | [`firewall`] | a host that refuses what arrives |
//! | [`second`] | a second network, and cards in it |
//! | [`ecmp`] | two equal routes from the new host to the client |
//! | [`router`] | a router before the new host |
//! | [`source_guard`] | a switch port that passes a host's own addresses only |
//! | [`containers`] | memcached in containers, behind hosts that forward |
//! | [`impair`] | a bad network between the hosts |
//! | [`long_line`] | a long line to the client, and what it loses |
//! | [`traffic`] | clients of every kind |
//! | [`history`] | what they wrote, and whether a server holds anything else |
//! | [`random`] | numbers that look random |
//! | [`bpf`] | programs and maps in the kernel; a program by itself: packet in, packet out |
//! | [`tally`] | counters as the kernel has them |
//! | [`ports`] | what a target does with a port |
//! | [`flows`] | time for a target's flows |
//! | [`rate_state`] | what the kernel keeps of rate limits |
//! | [`craft`] | packets made by hand |
//! | [`sealed`] | what a copy looks like on the wire |
//! | [`wire`] | raw frames at an interface |
//! | [`memory`] | what processes and maps take |
//! | [`version`] | what another version of the agent attached |
//! | [`wait`] | waiting for what has to come, with a deadline |
//!
//! The lab panics where it cannot go on: a test without its lab has no other way to fail.

pub mod agent;
pub mod bpf;
pub mod capture;
pub mod client;
pub mod containers;
pub mod craft;
pub mod departures;
pub mod ecmp;
pub mod expected;
pub mod firewall;
pub mod flows;
pub mod foreign;
pub mod history;
pub mod host;
pub mod impair;
pub mod lab;
pub mod load;
pub mod long_line;
pub mod memcached;
pub mod memory;
pub mod mirror;
pub mod notes;
pub mod ports;
pub mod random;
pub mod rate_state;
pub mod release;
pub mod router;
pub mod sealed;
pub mod second;
pub mod source_guard;
pub mod tally;
pub mod traffic;
pub mod tunnel;
pub mod version;
pub mod wait;
pub mod wire;

pub use host::{Family, Host};
pub use lab::Lab;
