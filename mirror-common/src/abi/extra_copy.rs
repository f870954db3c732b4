//! Whose a 4-tuple at a target is, where each connection is copied several times.

use super::address::Address;

/// How often a connection can be copied to each target.
pub const MAX_COPIES: u32 = 16;
/// 4-tuples that are remembered; of more, those that were not used for the longest time are forgotten.
pub const MAX_OWNERS: u32 = 1 << 15;

/// The client's endpoint of a connection as a target sees it, and the port that it is to. 24 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(C)]
pub struct EndpointKey {
    /// The client's address, or what stands for it.
    pub addr: Address,
    /// The client's port, or what stands for it, network byte order.
    pub port: u16,
    /// memcached's port, network byte order.
    pub local_port: u16,
    /// IP protocol number.
    pub protocol: u32,
}

/// The client of production whose packets have this endpoint. 24 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Owner {
    /// Its address.
    pub addr: Address,
    /// Its port, network byte order.
    pub port: u16,
    /// Padding, zero.
    pub pad: u16,
    /// When its last packet was, in seconds since boot.
    pub seen: u32,
}

const _: () = assert!(size_of::<EndpointKey>() == 24 && size_of::<Owner>() == 24);
