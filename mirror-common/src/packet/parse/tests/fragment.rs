//! Fragments: what they are a part of, and which go together.

use std::collections::BTreeSet;

use super::*;
use crate::abi::FragmentKey;

/// A fragment in IPv4, at `place` (in units of eight bytes).
fn fragment_v4(id: u16, place: u16, more: bool, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut ip = ipv4(0, protocol, payload.len());
    ip[4..6].copy_from_slice(&id.to_be_bytes());
    ip[6..8].copy_from_slice(&(place | u16::from(more) << 13).to_be_bytes());
    ip.extend(payload);
    ip
}

/// The same in IPv6, behind some extension headers, with `payload` of this kind.
fn fragment_v6(
    before: &[u8],
    id: u32,
    place: u16,
    more: bool,
    protocol: u8,
    payload: &[u8],
) -> Vec<u8> {
    let mut ip = ipv6(before, IN_FRAGMENTS, 8 + payload.len());
    ip.extend([protocol, 0]);
    ip.extend((place << 3 | u16::from(more)).to_be_bytes());
    ip.extend(id.to_be_bytes());
    ip.extend(payload);
    ip
}

fn framed(tags: &[u16], six: bool, ip: &[u8]) -> Vec<u8> {
    let mut frame = ethernet(tags, if six { ETHERTYPE_IPV6 } else { ETHERTYPE_IPV4 });
    frame.extend(ip);
    frame
}

#[test]
fn a_first_fragment_has_the_ports() {
    for tags in [&[][..], &[ETHERTYPE_VLAN], &[ETHERTYPE_QINQ, ETHERTYPE_VLAN]] {
        for (six, ip) in [
            (false, fragment_v4(7, 0, true, UDP, &transport(16))),
            (true, fragment_v6(&[], 7, 0, true, UDP, &transport(16))),
            (true, fragment_v6(&[0, 60, 43], 7, 0, true, UDP, &transport(16))),
        ] {
            let frame = framed(tags, six, &ip);
            assert_eq!(headers(&frame[..]), Err(ParseError::Fragment));
            let found = fragment(&frame[..]).unwrap();
            assert!(found.first && found.more);
            let ports = (found.headers.src_port_number(), found.headers.dst_port_number());
            assert_eq!(ports, (40000, 11211));
            assert_eq!(found.headers.protocol, UDP);
            assert_eq!(found.headers.l4 as usize, frame.len() - 16);
            assert_eq!(found.headers.end as usize, frame.len());
            let key = found.key();
            assert_eq!((key.src, key.dst), (found.headers.src, found.headers.dst));
            assert_eq!(key.identification, 7);
        }
    }
}

#[test]
fn headers_behind_that_of_the_fragment_are_followed() {
    let mut payload = vec![UDP, 0, 1, 4, 0, 0, 0, 0];
    payload.extend(transport(16));
    // As many before it as `headers` follows.
    for before in [&[][..], &[0, 60, 43, 60, 60]] {
        let frame = framed(&[], true, &fragment_v6(before, 1, 0, true, 60, &payload));
        assert_eq!(headers(&frame[..]), Err(ParseError::Fragment));
        let found = fragment(&frame[..]).unwrap().headers;
        assert_eq!((found.protocol, found.src_port_number()), (UDP, 40000));
    }
    // Not so in the others, where what looks like a header is anything.
    let frame = framed(&[], true, &fragment_v6(&[], 1, 2, true, 60, &payload));
    let found = fragment(&frame[..]).unwrap();
    assert!(!found.first);
    assert_eq!(found.headers.src_port, 0);
}

#[test]
fn a_whole_packet_is_its_first_and_last_fragment() {
    let mut plain = ipv4(0, TCP, 20);
    plain.extend(transport(20));
    let whole = fragment(&framed(&[], false, &plain)[..]).unwrap();
    assert!(whole.first && !whole.more);
    // RFC 6946.
    let atomic = fragment_v6(&[], 1, 0, false, TCP, &transport(20));
    let atomic = fragment(&framed(&[], true, &atomic)[..]).unwrap();
    assert!(atomic.first && !atomic.more);
    assert_eq!(atomic.headers.src_port_number(), 40000);
}

#[test]
fn what_has_no_ports_says_so() {
    for (protocol, payload) in [(1, transport(16)), (UDP, transport(3)), (TCP, vec![])] {
        let frame = framed(&[], false, &fragment_v4(1, 0, true, protocol, &payload));
        assert_eq!(fragment(&frame[..]).unwrap().headers.src_port, 0);
    }
    let late = framed(&[], false, &fragment_v4(1, 1, true, UDP, &transport(16)));
    let late = fragment(&late[..]).unwrap();
    assert!(!late.first);
    assert_eq!(late.headers.src_port, 0);
}

#[test]
fn ipv4_numbers_packets_by_protocol_and_ipv6_does_not() {
    let key = |six, ip: Vec<u8>| fragment(&framed(&[], six, &ip)[..]).unwrap().key();
    let v4 = |protocol| key(false, fragment_v4(1, 0, true, protocol, &transport(8)));
    let v6 = |protocol| key(true, fragment_v6(&[], 1, 0, true, protocol, &transport(8)));
    assert_ne!(v4(TCP), v4(UDP));
    assert_eq!(v6(TCP), v6(60));
    let other = fragment_v6(&[], 2, 0, true, TCP, &transport(8));
    assert_ne!(v6(TCP), key(true, other));
}

/// A packet that leaves: its number, whether it is the mirror's, and how many fragments leave of it, of
/// three.
fn packets() -> impl Strategy<Value = Vec<(u16, bool, u16)>> {
    bytes((0u16..4, any::<bool>(), prop_oneof![9 => Just(3u16), 1 => 1u16..3]), 0..40)
}

proptest! {
    #[test]
    fn fragments_go_where_their_first_goes(packets in packets(), six: bool) {
        let mut remembered: BTreeSet<FragmentKey> = BTreeSet::new();
        for (id, mirrored, count) in packets {
            for place in 0..count {
                let more = place < 2;
                let ip = if six {
                    fragment_v6(&[], u32::from(id), place, more, UDP, &transport(8))
                } else {
                    fragment_v4(id, place, more, UDP, &transport(8))
                };
                let found = fragment(&framed(&[], six, &ip)[..]).unwrap();
                let key = found.key();
                let swallowed = if found.first { mirrored } else { remembered.contains(&key) };
                prop_assert_eq!(swallowed, mirrored, "number {}, place {}", id, place);
                if found.to_be_remembered(swallowed) {
                    remembered.insert(key);
                } else {
                    remembered.remove(&key);
                }
                prop_assert_eq!(remembered.contains(&key), mirrored && more);
            }
        }
    }

    #[test]
    fn whatever_has_headers_is_read_alike(frame in prop_oneof![frame(), bytes(any::<u8>(), 0..200)]) {
        let piece = fragment(&frame[..]);
        match headers(&frame[..]) {
            Ok(found) => {
                let piece = piece.unwrap();
                prop_assert!(piece.first && !piece.more);
                // An IPv6 packet that gives no length has that of the frame.
                prop_assert_eq!(Headers { end: found.end, ..piece.headers }, found);
            }
            Err(ParseError::NotIp) => prop_assert_eq!(piece, None),
            Err(_) => {}
        }
    }
}
