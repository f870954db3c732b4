//! Everything the mirror decides, as pure functions over plain values.
//!
//! The kernel programs in `mirror-ebpf` fetch bytes, call this crate and carry out the verdict; the
//! agent shares the types that cross the kernel border. Nothing here does I/O, so all of it is
//! tested on the host.
//!
//! | module | what it knows |
//! |---|---|
//! | [`abi`] | keys and values of BPF maps, counters, marks: what kernel and agent agree on |
//! | [`packet`] | what is in a packet |
//! | [`memcached`] | what is in a memcached stream |
//! | [`source`] | what the old host decides |
//! | [`target`] | what the new host decides |
//! | [`guard`] | what a guard drops |
//!
//! `mirror-ebpf` has the same folders: what `source/rate_limit.rs` does there is decided by `source/rate_limit.rs` here.
#![no_std]

pub mod abi;
pub mod guard;
pub mod memcached;
pub mod packet;
pub mod source;
pub mod target;
