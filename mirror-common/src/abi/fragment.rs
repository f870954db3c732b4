//! What tells the fragments of one packet from those of another.

use super::address::Address;

/// A packet that leaves in fragments (RFC 791, 2.3; RFC 8200, 4.5). 40 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(C)]
pub struct FragmentKey {
    /// Source address.
    pub src: Address,
    /// Destination address.
    pub dst: Address,
    /// The sender's number for the packet, host byte order.
    pub identification: u32,
    /// IPv4's protocol number. IPv6: zero.
    pub protocol: u32,
}

const _: () = assert!(size_of::<FragmentKey>() == 40);
