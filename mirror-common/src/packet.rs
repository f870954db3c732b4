//! What is in a packet: the one door to its bytes, its headers, and the marks that the mirror puts on it.
//!
//! | module | what it knows |
//! |---|---|
//! | [`bytes`] | how packet bytes are reached |
//! | [`parse`] | Ethernet, VLAN, IPv4, IPv6: where the transport header is |
//! | [`tcp`] | the TCP header, sequence arithmetic, options |
//! | [`checksum`] | Internet checksum, whole and incremental |
//! | [`seal`] | how a copy is made harmless to a host that runs no mirror |
//! | [`inspection`] | the agent's own requests, which are no client's |
//! | [`mptcp`] | which segments belong to a connection of Multipath TCP |

pub mod bytes;
pub mod checksum;
pub mod inspection;
pub mod mptcp;
pub mod parse;
pub mod seal;
pub mod tcp;

pub use bytes::Packet;
