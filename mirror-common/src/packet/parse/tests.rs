//! Where headers are found, and where they are not.

extern crate std;
use std::{vec, vec::Vec};

use proptest::{collection::vec as bytes, prelude::*, sample::select};

use super::{
    layers::{ETHERTYPE_QINQ, ETHERTYPE_VLAN},
    *,
};

mod fragment;
mod quote;

const MAC_HEADER: [u8; 12] = [2; 12];

/// An Ethernet header with the tags given.
fn ethernet(tags: &[u16], ethertype: u16) -> Vec<u8> {
    let mut frame = MAC_HEADER.to_vec();
    for tag in tags {
        frame.extend(tag.to_be_bytes());
        frame.extend([0, 5]);
    }
    frame.extend(ethertype.to_be_bytes());
    frame
}

fn ipv4(options: usize, protocol: u8, payload: usize) -> Vec<u8> {
    let header = 20 + options * 4;
    let mut ip = vec![0; header];
    ip[0] = 0x40 | (header / 4) as u8;
    ip[2..4].copy_from_slice(&((header + payload) as u16).to_be_bytes());
    ip[6] = 0x40;
    ip[9] = protocol;
    ip[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
    ip
}

fn ipv6(extensions: &[u8], protocol: u8, payload: usize) -> Vec<u8> {
    let mut ip = vec![0; 40];
    ip[0] = 0x60;
    let length = extensions.len() * 8 + payload;
    ip[4..6].copy_from_slice(&(length as u16).to_be_bytes());
    ip[23] = 1;
    ip[39] = 2;
    let mut next = 6;
    for &extension in extensions {
        ip[next] = extension;
        next = ip.len();
        ip.extend([0; 8]);
    }
    ip[next] = protocol;
    ip
}

fn transport(payload: usize) -> Vec<u8> {
    let mut bytes = vec![0x9c, 0x40, 0x2b, 0xcb];
    bytes.resize(payload, 0);
    bytes
}

#[test]
fn ipv4_with_tags_options_and_padding() {
    for tags in [&[][..], &[ETHERTYPE_VLAN], &[ETHERTYPE_QINQ, ETHERTYPE_VLAN]] {
        for options in 0..=10 {
            let mut frame = ethernet(tags, ETHERTYPE_IPV4);
            let l3 = frame.len() as u32;
            frame.extend(ipv4(options, TCP, 20));
            let l4 = frame.len() as u32;
            frame.extend(transport(20));
            let end = frame.len() as u32;
            frame.extend([0; 6]);
            let found = headers(&frame[..]).unwrap();
            assert_eq!((found.l3, found.l4, found.end), (l3, l4, end));
            assert_eq!((found.family, found.protocol), (4, TCP));
            assert_eq!(found.src, v4_mapped(u32::from_ne_bytes([10, 0, 0, 1])));
            assert_eq!(found.dst, v4_mapped(u32::from_ne_bytes([10, 0, 0, 2])));
            assert_eq!((found.src_port_number(), found.dst_port_number()), (40000, 11211));
        }
    }
}

#[test]
fn plain_packets_have_plain_ports() {
    for (protocol, plain) in [(TCP, true), (UDP, true), (1, false)] {
        let mut frame = ethernet(&[], ETHERTYPE_IPV4);
        frame.extend(ipv4(0, protocol, 20));
        frame.extend(transport(20));
        assert_eq!(plain_ports(&frame[..]), plain.then_some((40000, 11211)));
        for (at, bits) in [(14, 1), (20, 0x20), (21, 1)] {
            let mut other = frame.clone();
            other[at] += bits;
            assert_eq!(plain_ports(&other[..]), None, "options, fragments: {at}");
        }
    }
    let mut tagged = ethernet(&[ETHERTYPE_VLAN], ETHERTYPE_IPV4);
    tagged.extend(ipv4(0, TCP, 20));
    tagged.extend(transport(20));
    assert_eq!(plain_ports(&tagged[..]), None);
}

#[test]
fn ipv6_with_extension_headers() {
    for extensions in [&[][..], &[0], &[60, 43], &[0, 60, 43, 60, 60, 60]] {
        let mut frame = ethernet(&[], ETHERTYPE_IPV6);
        frame.extend(ipv6(extensions, UDP, 16));
        let l4 = frame.len() as u32;
        frame.extend(transport(16));
        let found = headers(&frame[..]).unwrap();
        assert_eq!((found.l3, found.l4, found.end), (14, l4, l4 + 16));
        assert_eq!((found.family, found.protocol), (6, UDP));
        assert_eq!((found.src[3], found.dst[3]), (1u32.to_be(), 2u32.to_be()));
        assert_eq!(found.dst_port_number(), 11211);
    }
}

#[test]
fn what_is_not_for_us_has_a_reason() {
    let packet = |ip: &[u8], ethertype| {
        let mut frame = ethernet(&[], ethertype);
        frame.extend(ip);
        frame.extend(transport(20));
        headers(&frame[..]).unwrap_err()
    };
    assert_eq!(packet(&ipv4(0, TCP, 20), 0x0806), ParseError::NotIp);
    assert_eq!(packet(&ipv4(0, 1, 20), ETHERTYPE_IPV4), ParseError::Protocol);
    assert_eq!(packet(&ipv6(&[], 58, 20), ETHERTYPE_IPV6), ParseError::Protocol);
    for (at, bits) in [(6, 0x20), (7, 1)] {
        let mut fragment = ipv4(0, TCP, 20);
        fragment[at] |= bits;
        assert_eq!(packet(&fragment, ETHERTYPE_IPV4), ParseError::Fragment);
    }
    assert_eq!(packet(&ipv6(&[44], TCP, 20), ETHERTYPE_IPV6), ParseError::Fragment);
    assert_eq!(packet(&ipv4(0, TCP, 21), ETHERTYPE_IPV4), ParseError::Malformed, "too long");
    assert_eq!(
        packet(&ipv4(0, TCP, 7), ETHERTYPE_IPV4),
        ParseError::Malformed,
        "no room for ports"
    );
    assert_eq!(
        packet(&ipv6(&[0; 7], TCP, 20), ETHERTYPE_IPV6),
        ParseError::Protocol,
        "a long chain"
    );
}

/// Frames whose beginning makes sense more often than not.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let ethertypes =
        select(vec![ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_VLAN, ETHERTYPE_QINQ, 0x0806]);
    let first = prop_oneof![Just(0x45u8), Just(0x4f), Just(0x60), any::<u8>()];
    let protocol = select(vec![TCP, UDP, 0, 43, 44, 60, 58]);
    (ethertypes, first, protocol, bytes(any::<u8>(), 0..160)).prop_map(
        |(ethertype, first, protocol, mut rest)| {
            for (at, byte) in [(0, first), (2, 0), (6, protocol), (9, protocol)] {
                if let Some(place) = rest.get_mut(at) {
                    *place = byte;
                }
            }
            let mut frame = ethernet(&[], ethertype);
            frame.extend(rest);
            frame
        },
    )
}

proptest! {
    #[test]
    fn what_is_found_lies_inside(frame in prop_oneof![frame(), bytes(any::<u8>(), 0..200)]) {
        if let Ok(found) = headers(&frame[..]) {
            prop_assert!(14 <= found.l3);
            prop_assert!(found.l3 + 20 <= found.l4);
            prop_assert!(found.l4 + 8 <= found.end);
            prop_assert!(found.end as usize <= frame.len());
            prop_assert!(found.protocol == TCP || found.protocol == UDP);
            let at = found.l4 as usize;
            prop_assert_eq!(found.src_port.to_ne_bytes(), [frame[at], frame[at + 1]]);
            if let Some(ports) = plain_ports(&frame[..]) {
                prop_assert_eq!(ports, (found.src_port_number(), found.dst_port_number()));
            }
        }
    }

    #[test]
    fn a_packet_cut_short_is_refused(options in 0usize..=10, six: bool, cut in 1usize..60) {
        let mut frame = ethernet(&[], if six { ETHERTYPE_IPV6 } else { ETHERTYPE_IPV4 });
        frame.extend(if six { ipv6(&[60], TCP, 20) } else { ipv4(options, TCP, 20) });
        frame.extend(transport(20));
        prop_assert!(headers(&frame[..]).is_ok());
        frame.truncate(frame.len() - cut.min(frame.len()));
        prop_assert!(headers(&frame[..]).is_err());
    }
}

proptest! {
    #[test]
    fn ethernet_addresses_swap(frame: [u8; 12]) {
        let words: [u32; 3] = frame[..].words(0).unwrap();
        let swapped = swapped_ethernet(&words);
        let bytes: Vec<u8> = swapped.iter().flat_map(|word| word.to_ne_bytes()).collect();
        prop_assert_eq!(&bytes[..6], &frame[6..]);
        prop_assert_eq!(&bytes[6..], &frame[..6]);
        prop_assert_eq!(crate::packet::checksum::difference(&words, &swapped) % 0xffff, 0);
    }
}
