//! IP packets in fragments, of which only the first says for whom they are.
//!
//! Slower than [`headers`](super::headers), for the few packets that it has no answer for.

use super::layers::{
    ETHERTYPE_IPV4, ETHERTYPE_IPV6, Headers, IN_FRAGMENTS, MAX_EXTENSIONS, TCP, UDP,
    behind_extension, is_extension, network,
};
use crate::abi::{FragmentKey, v4_mapped};
use crate::packet::Packet;

/// A fragment's place, in units of eight bytes, and that more follow (RFC 791, 3.1).
const OFFSET: u32 = 0x1fff;
const MORE: u32 = 0x2000;

/// A fragment. One that is the first and the last is the whole packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fragment {
    /// The ports are zero, which nobody uses (RFC 6335, 6), unless this is a first fragment of TCP or UDP,
    /// long enough to have them. `end` is what the IP header says, whether so much is there or not.
    pub headers: Headers,
    /// The sender's number for the packet.
    pub identification: u32,
    /// Whether it is the first.
    pub first: bool,
    /// Whether it is not the last.
    pub more: bool,
}

impl Fragment {
    /// The packet that it is a part of.
    #[inline(always)]
    pub fn key(&self) -> FragmentKey {
        let Headers { family, protocol, src, dst, .. } = self.headers;
        FragmentKey {
            src,
            dst,
            identification: self.identification,
            // IPv6: not the same in every fragment (RFC 8200, 4.5).
            protocol: if family == 4 { u32::from(protocol) } else { 0 },
        }
    }

    /// Whether the packet's further fragments have to be swallowed, given that this one was or was not. If
    /// not, its key has to be forgotten: the numbers come round, and the next with this one is another's.
    #[inline(always)]
    pub fn to_be_remembered(&self, swallowed: bool) -> bool {
        swallowed && self.more
    }
}

/// Reads the fragment `packet`, which starts with an Ethernet header. `None` where it is not IP, or an IP
/// header is cut short.
#[inline(always)]
pub fn fragment<P: Packet + ?Sized>(packet: &P) -> Option<Fragment> {
    let (ethertype, l3) = network(packet)?;
    at(packet, ethertype, l3)
}

/// Reads what the IP header at `l3` begins.
#[inline(always)]
pub(super) fn at<P: Packet + ?Sized>(packet: &P, ethertype: u16, l3: u32) -> Option<Fragment> {
    let mut found = match ethertype {
        ETHERTYPE_IPV4 => ipv4(packet, l3)?,
        ETHERTYPE_IPV6 => ipv6(packet, l3)?,
        _ => return None,
    };
    let headers = &mut found.headers;
    if found.first && (headers.protocol == TCP || headers.protocol == UDP) {
        let [ports] = packet.words(headers.l4).unwrap_or([0]);
        let ports = u32::from_be(ports);
        headers.src_port = ((ports >> 16) as u16).to_be();
        headers.dst_port = (ports as u16).to_be();
    }
    Some(found)
}

/// RFC 791, 3.1.
#[inline(always)]
fn ipv4<P: Packet + ?Sized>(packet: &P, l3: u32) -> Option<Fragment> {
    let ip: [u32; 5] = packet.words(l3)?;
    let (first, second) = (u32::from_be(ip[0]), u32::from_be(ip[1]));
    let header = (first >> 24 & 0x0f) * 4;
    if first >> 28 != 4 || header < 20 {
        return None;
    }
    Some(Fragment {
        headers: Headers {
            l3,
            l4: l3 + header,
            end: l3 + (first & 0xffff),
            family: 4,
            protocol: (u32::from_be(ip[2]) >> 16) as u8,
            src: v4_mapped(ip[3]),
            dst: v4_mapped(ip[4]),
            src_port: 0,
            dst_port: 0,
        },
        identification: second >> 16,
        first: second & OFFSET == 0,
        more: second & MORE != 0,
    })
}

/// RFC 8200, 3, 4 and 4.5.
#[inline(always)]
fn ipv6<P: Packet + ?Sized>(packet: &P, l3: u32) -> Option<Fragment> {
    let ip: [u32; 2] = packet.words(l3)?;
    if u32::from_be(ip[0]) >> 28 != 6 {
        return None;
    }
    let second = u32::from_be(ip[1]);
    let mut protocol = (second >> 8) as u8;
    let mut l4 = l3 + 40;
    let (mut identification, mut first, mut more) = (0, true, false);
    // One more than `headers` follows, as further ones may be behind that of the fragment.
    for _ in 0..=MAX_EXTENSIONS {
        if protocol == IN_FRAGMENTS {
            let words: [u32; 2] = packet.words(l4)?;
            let place = u32::from_be(words[0]);
            identification = u32::from_be(words[1]);
            first = place & 0xfff8 == 0;
            more = place & 1 != 0;
            protocol = (place >> 24) as u8;
            l4 += 8;
            if !first {
                break;
            }
        } else if is_extension(protocol) {
            (protocol, l4) = behind_extension(packet, l4)?;
        } else {
            break;
        }
    }
    Some(Fragment {
        headers: Headers {
            l3,
            l4,
            end: l3 + 40 + (second >> 16),
            family: 6,
            protocol,
            src: packet.words(l3 + 8)?,
            dst: packet.words(l3 + 24)?,
            src_port: 0,
            dst_port: 0,
        },
        identification,
        first,
        more,
    })
}
