//! What the source mirrors: one [`Mapping`] for each `--map`, found through a [`PortSlot`].

use super::address::Address;

/// Mappings one interface can hold; the index has to fit a mark.
pub const MAX_MAPPINGS: u32 = 1024;
/// What maps and selections say is there twice: one generation of tables is in force, and the other is filled, so that a
/// change of many entries is one.
pub const GENERATIONS: u32 = 2;
/// Mappings that one local port can have (fan-out, or several local addresses).
pub const MAX_FAN_OUT: usize = 8;
/// How often a TCP copy can be sent to each target.
pub const MAX_REDUNDANCY: u32 = 3;

/// One `--map`: copies for `local` go to `target`. 48 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Mapping {
    /// Local address the copies are limited to; all zero for any.
    pub local_addr: Address,
    /// Where copies go. Decides the family: an IPv4 target receives copies of IPv4 packets only.
    pub target_addr: Address,
    /// Local port, network byte order.
    pub local_port: u16,
    /// Target port, network byte order.
    pub target_port: u16,
    /// Interface that the route to the target left by when it was attached: used where the copy device cannot ask the
    /// routing tables.
    pub out_ifindex: u32,
    /// 4 or 6; 0 marks an unused entry.
    pub family: u8,
    /// Padding, zero.
    pub pad: [u8; 3],
    /// Largest packet that the route to the target was for when it was attached, in bytes; 0 where it does not say. The
    /// kernel tells programs of it where it is locked only (`ip_mtu_from_fib_result`, `ip6_mtu_from_fib6`).
    pub route_mtu: u32,
}

impl Mapping {
    /// Whether packets of `family` to `local` belong to this mapping (the port is known to match).
    #[inline(always)]
    pub fn matches(&self, family: u8, local: &Address) -> bool {
        self.family == family && (self.local_addr == [0; 4] || self.local_addr == *local)
    }
}

/// Index of a port's [`PortSlot`] in the array that has all of both generations.
#[inline(always)]
pub const fn slot_index(generation: u32, port: u16) -> u32 {
    generation << 16 | port as u32
}

/// The mappings of one local port, as indexes. 20 bytes; [`slot_index`] says where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(C)]
pub struct PortSlot {
    /// How many of `mapping` are in use.
    pub len: u32,
    /// Indexes into the mapping table.
    pub mapping: [u16; MAX_FAN_OUT],
}

const _: () = assert!(size_of::<Mapping>() == 48 && size_of::<PortSlot>() == 20);
