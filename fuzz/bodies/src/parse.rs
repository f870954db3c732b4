//! `parse::headers`, against etherparse, which shares no code with it.

use etherparse::{
    EtherType, Ethernet2Slice, IpNumber, IpPayloadSlice, Ipv4Slice, Ipv6ExtensionSlice, Ipv6Slice,
    SingleVlanSlice,
};
use mirror_common::{
    abi::{GuardCounter, v4_mapped},
    guard,
    packet::parse::{Headers, ParseError, headers},
};

/// Tags, and IPv6 extension headers, that the mirror follows.
const MAX_TAGS: usize = 2;
const MAX_EXTENSIONS: usize = 6;

/// What etherparse says about a frame.
enum Truth {
    /// A whole TCP or UDP packet, found where the mirror has to find it.
    Whole(Headers),
    NotIp,
    Fragment,
    /// Broken, or nothing that the mirror looks into: it may find nothing, or be more lenient.
    Other,
}

/// Checks that what is found in `frame` lies inside, and is what etherparse finds. Returns it.
pub fn check(frame: &[u8]) -> Result<Headers, ParseError> {
    let found = headers(frame);
    if let Ok(found) = &found {
        lies_inside(found, frame);
    }
    // Whoever it is from: a guard lets all of nobody's through, and nothing whole of one that is guarded.
    assert_eq!(guard::judge(frame, |_| false), GuardCounter::Passed);
    assert!(found.is_err() || guard::judge(frame, |_| true) != GuardCounter::Passed);
    match truth(frame).unwrap_or(Truth::Other) {
        Truth::Whole(expected) => assert_eq!(found, Ok(expected)),
        Truth::NotIp => assert_eq!(found, Err(ParseError::NotIp)),
        Truth::Fragment => assert!(found.is_err(), "a fragment: {found:?}"),
        Truth::Other => {}
    }
    found
}

fn lies_inside(found: &Headers, frame: &[u8]) {
    let header = if found.family == 4 { 20 } else { 40 };
    assert!(14 <= found.l3 && found.l3 + header <= found.l4, "{found:?}");
    assert!(found.l4 + 8 <= found.end, "{found:?}");
    assert!(found.end as usize <= frame.len(), "{found:?}");
    let at = found.l4 as usize;
    let ports = [found.src_port, found.dst_port].map(u16::to_ne_bytes).concat();
    assert_eq!(ports, frame[at..at + 4]);
}

fn truth(frame: &[u8]) -> Option<Truth> {
    let ethernet = Ethernet2Slice::from_slice_without_fcs(frame).ok()?;
    let (mut kind, mut rest) = (ethernet.ether_type(), ethernet.payload_slice());
    for _ in 0..MAX_TAGS {
        if kind == EtherType::VLAN_TAGGED_FRAME || kind == EtherType::PROVIDER_BRIDGING {
            let tag = SingleVlanSlice::from_slice(rest).ok()?;
            (kind, rest) = (tag.ether_type(), tag.payload_slice());
        }
    }
    let l3 = (frame.len() - rest.len()) as u32;
    match kind {
        EtherType::IPV4 => ipv4(l3, frame, &Ipv4Slice::from_slice(rest).ok()?),
        EtherType::IPV6 => ipv6(l3, frame, &Ipv6Slice::from_slice(rest).ok()?),
        _ => Some(Truth::NotIp),
    }
}

fn ipv4(l3: u32, frame: &[u8], ip: &Ipv4Slice<'_>) -> Option<Truth> {
    let [src, dst] = [ip.header().source(), ip.header().destination()]
        .map(|address| v4_mapped(u32::from_ne_bytes(address)));
    if ip.extensions().auth.is_some() {
        return None;
    }
    let partial = Headers { l3, family: 4, src, dst, ..NOTHING };
    transport(frame, ip.payload(), partial)
}

fn ipv6(l3: u32, frame: &[u8], ip: &Ipv6Slice<'_>) -> Option<Truth> {
    let words = |address: [u8; 16]| {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(address.as_chunks().0) {
            *word = u32::from_ne_bytes(*bytes);
        }
        words
    };
    let extensions: Vec<_> = ip.extensions().clone().into_iter().collect();
    let unknown = |one: &Ipv6ExtensionSlice<'_>| {
        matches!(one, Ipv6ExtensionSlice::Authentication(_) | Ipv6ExtensionSlice::Fragment(_))
    };
    // The mirror takes every fragment header for a fragment's, even if there is but one.
    if extensions.len() > MAX_EXTENSIONS || extensions.iter().any(unknown) {
        return ip.payload().fragmented.then_some(Truth::Fragment);
    }
    let (src, dst) = (words(ip.header().source()), words(ip.header().destination()));
    let partial = Headers { l3, family: 6, src, dst, ..NOTHING };
    transport(frame, ip.payload(), partial)
}

/// Adds what the IP packet carries, if that is TCP or UDP.
fn transport(frame: &[u8], ip: &IpPayloadSlice<'_>, partial: Headers) -> Option<Truth> {
    if ip.fragmented {
        return Some(Truth::Fragment);
    }
    let known = ip.ip_number == IpNumber::TCP || ip.ip_number == IpNumber::UDP;
    if !known || ip.payload.len() < 8 {
        return None;
    }
    let l4 = (ip.payload.as_ptr() as usize - frame.as_ptr() as usize) as u32;
    Some(Truth::Whole(Headers {
        l4,
        end: l4 + ip.payload.len() as u32,
        protocol: ip.ip_number.0,
        src_port: u16::from_ne_bytes([ip.payload[0], ip.payload[1]]),
        dst_port: u16::from_ne_bytes([ip.payload[2], ip.payload[3]]),
        ..partial
    }))
}

const NOTHING: Headers = Headers {
    l3: 0,
    l4: 0,
    end: 0,
    family: 0,
    protocol: 0,
    src: [0; 4],
    dst: [0; 4],
    src_port: 0,
    dst_port: 0,
};
