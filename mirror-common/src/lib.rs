//! Everything the mirror decides, as pure functions over plain values.
//!
//! The kernel programs in `mirror-ebpf` fetch bytes, call this crate and carry out the verdict; the
//! agent shares the types that cross the kernel border. Nothing here does I/O, so all of it is
//! tested on the host.
//!
//! | module | what it knows |
//! |---|---|
//! | [`abi`] | map keys and values, counters, marks: what kernel and agent agree on |
//! | [`packet`] | the one door to packet bytes |
//! | [`parse`] | Ethernet, VLAN, IPv4, IPv6: where the transport header is |
//! | [`tcp`] | the TCP header, sequence arithmetic, options |
//! | [`checksum`] | Internet checksum, whole and incremental |
//! | [`choose`] | which of the packets for a map are mirrored: clients, a sample, until when |
//! | [`guard`] | what a guard drops |
//! | [`limit`] | which flows are shed where a target has a rate limit |
//! | [`alias`] | by whose end each of several copies of a connection is sent |
//! | [`seal`] | how a copy is made harmless to a host that runs no mirror |
//! | [`inspection`] | the agent's own requests, which are no client's |
//! | [`mptcp`] | which segments belong to a connection of Multipath TCP |
//! | [`memcache`] | where a memcached request begins |
//! | [`walk`] | where it ends, and the next begins |
//! | [`copy`] | the puppet client: what to do with a copy that arrives at the target |
//! | [`reply`] | the puppet client: what to do with memcached's replies |
#![no_std]

pub mod abi;
pub mod alias;
pub mod checksum;
pub mod choose;
pub mod command;
pub mod copy;
pub mod guard;
pub mod inspection;
pub mod limit;
pub mod memcache;
pub mod mptcp;
pub mod packet;
pub mod parse;
pub mod reply;
pub mod seal;
pub mod tcp;
pub mod walk;
