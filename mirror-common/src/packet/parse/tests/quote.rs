//! ICMP errors and what they are about.

use super::*;

const ICMP: u8 = 1;
const ICMP_V6: u8 = 58;

/// An ICMP message of this kind in IPv4, about `quote`.
fn icmp(tags: &[u16], options: usize, kind: u8, quote: &[u8]) -> Vec<u8> {
    let mut frame = ethernet(tags, ETHERTYPE_IPV4);
    frame.extend(ipv4(options, ICMP, 8 + quote.len()));
    frame.extend([kind, 3, 0, 0, 0, 0, 0, 0]);
    frame.extend(quote);
    frame
}

/// The same in IPv6.
fn icmp_v6(extensions: &[u8], kind: u8, quote: &[u8]) -> Vec<u8> {
    let mut frame = ethernet(&[], ETHERTYPE_IPV6);
    frame.extend(ipv6(extensions, ICMP_V6, 8 + quote.len()));
    frame.extend([kind, 4, 0, 0, 0, 0, 0, 0]);
    frame.extend(quote);
    frame
}

/// An IPv4 packet whose header says `length` bytes of payload, of which there are `there`.
fn packet(options: usize, protocol: u8, length: usize, there: usize) -> Vec<u8> {
    let mut ip = ipv4(options, protocol, length);
    ip.extend(transport(there));
    ip
}

fn packet_v6(extensions: &[u8], protocol: u8, length: usize, there: usize) -> Vec<u8> {
    let mut ip = ipv6(extensions, protocol, length);
    ip.extend(transport(there));
    ip
}

fn assert_about(frame: &[u8], protocol: u8, there: usize, length: usize) {
    assert_eq!(headers(frame), Err(ParseError::Protocol));
    let found = quoted(frame).unwrap();
    assert_eq!((found.src_port_number(), found.dst_port_number()), (40000, 11211));
    assert_eq!(found.protocol, protocol);
    assert_eq!(found.l4 as usize, frame.len() - there);
    assert_eq!((found.end - found.l4) as usize, length);
}

#[test]
fn errors_are_about_what_they_quote() {
    for (protocol, length, there) in [(UDP, 16, 16), (UDP, 1000, 500), (TCP, 20, 20), (TCP, 900, 8)]
    {
        for options in [0, 10] {
            for tags in [&[][..], &[ETHERTYPE_VLAN], &[ETHERTYPE_QINQ, ETHERTYPE_VLAN]] {
                for kind in [3, 4, 5, 11, 12] {
                    let quote = packet(options, protocol, length, there);
                    assert_about(&icmp(tags, options, kind, &quote), protocol, there, length);
                }
            }
        }
        for extensions in [&[][..], &[0], &[0, 60, 43]] {
            for kind in [1, 2, 3, 4] {
                let quote = packet_v6(extensions, protocol, length, there);
                assert_about(&icmp_v6(extensions, kind, &quote), protocol, there, length);
            }
        }
    }
}

#[test]
fn addresses_are_those_of_the_packet_quoted() {
    let quote = packet(0, UDP, 16, 16);
    let found = quoted(&icmp(&[], 0, 3, &quote)[..]).unwrap();
    assert_eq!(found.src, v4_mapped(u32::from_ne_bytes([10, 0, 0, 1])));
    assert_eq!(found.dst, v4_mapped(u32::from_ne_bytes([10, 0, 0, 2])));
    let quote = packet_v6(&[], UDP, 16, 16);
    let found = quoted(&icmp_v6(&[], 1, &quote)[..]).unwrap();
    assert_eq!((found.src[3], found.dst[3]), (1u32.to_be(), 2u32.to_be()));
}

#[test]
fn other_messages_are_about_nothing() {
    let (four, six) = (packet(0, UDP, 16, 16), packet_v6(&[], UDP, 16, 16));
    for kind in [0, 8, 9, 10, 13, 14] {
        assert_eq!(quoted(&icmp(&[], 0, kind, &four)[..]), None, "kind {kind}");
    }
    for kind in [128, 129, 133, 135, 136] {
        assert_eq!(quoted(&icmp_v6(&[], kind, &six)[..]), None, "kind {kind}");
    }
    // Not the beginning of a message.
    let mut late = icmp(&[], 0, 3, &four);
    late[21] = 1;
    assert_eq!(quoted(&late[..]), None);
    // Each family quotes its own.
    assert_eq!(quoted(&icmp(&[], 0, 3, &six)[..]), None);
    assert_eq!(quoted(&icmp_v6(&[], 1, &four)[..]), None);
}

#[test]
fn what_cannot_be_a_copy_is_nobodys() {
    let about = |quote: &[u8]| quoted(&icmp(&[], 0, 3, quote)[..]);
    assert_eq!(about(&packet(0, ICMP, 16, 16)), None, "neither TCP nor UDP");
    assert_eq!(about(&packet(0, UDP, 15, 15)), None, "shorter than any copy");
    assert!(about(&packet(0, UDP, 16, 8)).is_some(), "long enough, and quoted in part");
    assert_eq!(about(&packet(0, UDP, 16, 3)), None, "no ports");
    let mut late = packet(0, UDP, 16, 16);
    late[7] = 1;
    assert_eq!(about(&late), None, "no beginning of a packet");
}

proptest! {
    #[test]
    fn what_is_quoted_lies_inside(rest in frame(), six: bool, kind in 0u8..15, cut in 0usize..200) {
        let quote = &rest[14..];
        let mut frame = if six { icmp_v6(&[], kind, quote) } else { icmp(&[], 0, kind, quote) };
        frame.truncate(cut);
        if let Some(found) = quoted(&frame[..]) {
            prop_assert!(found.l3 + 20 <= found.l4);
            prop_assert!(found.l4 as usize + 4 <= frame.len());
            prop_assert!(found.protocol == TCP || found.protocol == UDP);
            let at = found.l4 as usize;
            prop_assert_eq!(found.dst_port.to_ne_bytes(), [frame[at + 2], frame[at + 3]]);
        }
    }
}
