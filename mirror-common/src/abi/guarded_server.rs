//! Whose packets a guard drops.

use super::address::Address;

/// Senders that one guard can have.
pub const MAX_GUARDED_SERVERS: u32 = 1024;

/// A memcached whose replies must not arrive. 20 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(C)]
pub struct GuardedServer {
    /// Its address.
    pub addr: Address,
    /// Its port, host byte order.
    pub port: u32,
}

const _: () = assert!(size_of::<GuardedServer>() == 20);
