//! Addresses as keys of BPF maps.

/// An address as four words whose memory is in network byte order; IPv4 as `::ffff:a.b.c.d`
/// (RFC 4291, 2.5.5.2). Words, since the BPF machine copies those and not bytes.
pub type Address = [u32; 4];

/// How many MAC addresses a target can be limited to.
pub const MAX_ALLOWED_MACS: u32 = 64;

/// A MAC address as a map key: a number whose lowest 48 bits it is.
#[inline(always)]
pub const fn mac_key(mac: [u8; 6]) -> u64 {
    u64::from_be_bytes([0, 0, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]])
}

/// The IPv4 address `v4`, a word in network byte order, in the form that map keys use.
#[inline(always)]
pub const fn v4_mapped(v4: u32) -> Address {
    [0, 0, 0x0000_ffffu32.to_be(), v4]
}
