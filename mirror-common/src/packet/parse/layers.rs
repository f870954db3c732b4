//! What lies before the transport header: Ethernet, VLAN tags, IPv6 extension headers.

use crate::abi::Address;
use crate::packet::Packet;

/// TCP's protocol number.
pub const TCP: u8 = 6;
/// UDP's protocol number.
pub const UDP: u8 = 17;

pub(super) const ETHERTYPE_IPV4: u16 = 0x0800;
pub(super) const ETHERTYPE_IPV6: u16 = 0x86dd;
pub(super) const ETHERTYPE_VLAN: u16 = 0x8100;
pub(super) const ETHERTYPE_QINQ: u16 = 0x88a8;
/// Bytes before the IP header, or before the first VLAN tag.
pub const ETHERNET_HEADER: u32 = 14;
/// Tags that are followed inside the packet (the kernel has moved the outermost to the skb).
pub(super) const MAX_VLAN_TAGS: u32 = 2;
/// IPv6 extension headers that are followed.
pub(super) const MAX_EXTENSIONS: u32 = 6;
/// Next Header of the fragment extension header (RFC 8200, 4.5).
pub(super) const IN_FRAGMENTS: u8 = 44;

/// Where the headers of a TCP or UDP packet are and what they say about its path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Headers {
    /// Offset of the IP header.
    pub l3: u32,
    /// Offset of the TCP or UDP header.
    pub l4: u32,
    /// Offset of the first byte behind the IP packet (Ethernet padding may follow).
    pub end: u32,
    /// 4 or 6.
    pub family: u8,
    /// [`TCP`] or [`UDP`].
    pub protocol: u8,
    /// Source address.
    pub src: Address,
    /// Destination address.
    pub dst: Address,
    /// Source port, network byte order.
    pub src_port: u16,
    /// Destination port, network byte order.
    pub dst_port: u16,
}

impl Headers {
    /// Destination port in host order.
    #[inline(always)]
    pub fn dst_port_number(&self) -> u16 {
        u16::from_be(self.dst_port)
    }

    /// Source port in host order.
    #[inline(always)]
    pub fn src_port_number(&self) -> u16 {
        u16::from_be(self.src_port)
    }
}

/// The EtherType behind the VLAN tags, and the offset of what it names.
#[inline(always)]
pub(super) fn network<P: Packet + ?Sized>(packet: &P) -> Option<(u16, u32)> {
    let mut ethertype = u16::from_be_bytes(packet.bytes(12)?);
    let mut l3 = ETHERNET_HEADER;
    for _ in 0..MAX_VLAN_TAGS {
        if ethertype != ETHERTYPE_VLAN && ethertype != ETHERTYPE_QINQ {
            break;
        }
        ethertype = u16::from_be_bytes(packet.bytes(l3 + 2)?);
        l3 += 4;
    }
    Some((ethertype, l3))
}

/// Whether `protocol` is an IPv6 extension header that says nothing to us: hop-by-hop options, routing,
/// destination options.
#[inline(always)]
pub(super) fn is_extension(protocol: u8) -> bool {
    matches!(protocol, 0 | 43 | 60)
}

/// The protocol of what follows the extension header at `at`, and where that is (RFC 8200, 4).
#[inline(always)]
pub(super) fn behind_extension<P: Packet + ?Sized>(packet: &P, at: u32) -> Option<(u8, u32)> {
    let [next, length]: [u8; 2] = packet.bytes(at)?;
    Some((next, at + (u32::from(length) + 1) * 8))
}
