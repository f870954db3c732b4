//! Finds the transport header behind Ethernet, VLAN tags and IP.

mod fragment;
mod layers;
mod quote;

pub use fragment::{Fragment, fragment};
pub use layers::{ETHERNET_HEADER, Headers, TCP, UDP};
pub use quote::quoted;

use self::layers::{
    ETHERTYPE_IPV4, ETHERTYPE_IPV6, IN_FRAGMENTS, MAX_EXTENSIONS, behind_extension, is_extension,
    network,
};
use crate::abi::v4_mapped;
use crate::packet::Packet;

/// More fragments, or an offset: part of a datagram (RFC 791, 3.1).
const FRAGMENT: u32 = 0x3fff;

/// Why a packet has no ports for us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParseError {
    /// Neither IPv4 nor IPv6.
    NotIp,
    /// Neither TCP nor UDP.
    Protocol,
    /// A fragment: its ports, or its end, are elsewhere.
    Fragment,
    /// Cut short, or a length that lies.
    Malformed,
}

/// Source and destination port, in host order, of the plainest packet: TCP or UDP in IPv4 without
/// options, no fragment, no VLAN tag. `None` for any other, for which [`headers`] has the answer.
///
/// One read, so that packets of others, which most are, cost little. It believes the packet's
/// lengths: good enough to leave a packet alone, not to copy it.
#[inline(always)]
pub fn plain_ports<P: Packet + ?Sized>(packet: &P) -> Option<(u16, u16)> {
    const IPV4_OF_20_BYTES: u32 = (ETHERTYPE_IPV4 as u32) << 8 | 0x45;

    // From the EtherType to the destination port.
    let words: [u32; 7] = packet.words(12)?;
    let (first, third) = (u32::from_be(words[0]), u32::from_be(words[2]));
    let protocol = third as u8;
    if first >> 8 != IPV4_OF_20_BYTES
        || third >> 16 & FRAGMENT != 0
        || protocol != TCP && protocol != UDP
    {
        return None;
    }
    Some((u32::from_be(words[5]) as u16, (u32::from_be(words[6]) >> 16) as u16))
}

/// Reads the headers of `packet`, which starts with an Ethernet header. No packet can make it read
/// out of bounds or loop: it follows at most two VLAN tags and six extension headers.
#[inline(always)]
pub fn headers<P: Packet + ?Sized>(packet: &P) -> Result<Headers, ParseError> {
    match network(packet) {
        Some((ETHERTYPE_IPV4, l3)) => ipv4(packet, l3),
        Some((ETHERTYPE_IPV6, l3)) => ipv6(packet, l3),
        Some(_) => Err(ParseError::NotIp),
        None => Err(ParseError::Malformed),
    }
}

/// The first three words of a frame, destination and source (IEEE 802.3, 3.1.1), with the two swapped. Network
/// byte order; the words sum to the same (RFC 1071).
#[inline(always)]
pub const fn swapped_ethernet(words: &[u32; 3]) -> [u32; 3] {
    let [a, b, c] = [u32::from_be(words[0]), u32::from_be(words[1]), u32::from_be(words[2])];
    [(b << 16 | c >> 16).to_be(), (c << 16 | a >> 16).to_be(), (a << 16 | b >> 16).to_be()]
}

/// RFC 791, 3.1.
#[inline(always)]
fn ipv4<P: Packet + ?Sized>(packet: &P, l3: u32) -> Result<Headers, ParseError> {
    let ip: [u32; 5] = packet.words(l3).ok_or(ParseError::Malformed)?;
    let first = u32::from_be(ip[0]);
    let header = (first >> 24 & 0x0f) * 4;
    if first >> 28 != 4 || header < 20 {
        return Err(ParseError::Malformed);
    }
    let protocol = (u32::from_be(ip[2]) >> 16) as u8;
    if protocol != TCP && protocol != UDP {
        return Err(ParseError::Protocol);
    }
    if u32::from_be(ip[1]) & FRAGMENT != 0 {
        return Err(ParseError::Fragment);
    }
    finish(
        packet,
        l3,
        Headers {
            l3,
            l4: l3 + header,
            end: l3 + (first & 0xffff),
            family: 4,
            protocol,
            src: v4_mapped(ip[3]),
            dst: v4_mapped(ip[4]),
            src_port: 0,
            dst_port: 0,
        },
    )
}

/// RFC 8200, 3 and 4.
#[inline(always)]
fn ipv6<P: Packet + ?Sized>(packet: &P, l3: u32) -> Result<Headers, ParseError> {
    let ip: [u32; 2] = packet.words(l3).ok_or(ParseError::Malformed)?;
    if u32::from_be(ip[0]) >> 28 != 6 {
        return Err(ParseError::Malformed);
    }
    let second = u32::from_be(ip[1]);
    let mut protocol = (second >> 8) as u8;
    let mut l4 = l3 + 40;
    for _ in 0..MAX_EXTENSIONS {
        if protocol == IN_FRAGMENTS {
            return Err(ParseError::Fragment);
        }
        if !is_extension(protocol) {
            break;
        }
        (protocol, l4) = behind_extension(packet, l4).ok_or(ParseError::Malformed)?;
    }
    if protocol != TCP && protocol != UDP {
        return Err(ParseError::Protocol);
    }
    let payload = second >> 16;
    finish(
        packet,
        l3,
        Headers {
            l3,
            l4,
            // A length of zero is a jumbogram's (RFC 2675): the skb knows better.
            end: if payload == 0 { l3 } else { l3 + 40 + payload },
            family: 6,
            protocol,
            src: packet.words(l3 + 8).ok_or(ParseError::Malformed)?,
            dst: packet.words(l3 + 24).ok_or(ParseError::Malformed)?,
            src_port: 0,
            dst_port: 0,
        },
    )
}

/// Adds the ports and checks the lengths.
#[inline(always)]
fn finish<P: Packet + ?Sized>(
    packet: &P,
    l3: u32,
    partial: Headers,
) -> Result<Headers, ParseError> {
    let [ports] = packet.words(partial.l4).ok_or(ParseError::Malformed)?;
    let ports = u32::from_be(ports);
    // Linux leaves the length at zero in super-packets over 64 KiB.
    let end = if partial.end == l3 { packet.length() } else { partial.end };
    if end > packet.length() || end < partial.l4 + 8 {
        return Err(ParseError::Malformed);
    }
    Ok(Headers {
        end,
        src_port: ((ports >> 16) as u16).to_be(),
        dst_port: (ports as u16).to_be(),
        ..partial
    })
}

#[cfg(test)]
mod tests;
