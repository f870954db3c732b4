//! Every combination of headers around one body.

use mirror_tests::craft::{Body, DESTINATION, DOT1AD, DOT1Q, HOP_BY_HOP, Packet, ROUTING};

use crate::place::{client, v4, v6};

/// Tags that are followed.
const TAGS: [&[u16]; 5] = [&[], &[DOT1Q], &[DOT1AD], &[DOT1AD, DOT1Q], &[DOT1Q, DOT1Q]];
/// Bytes of IPv4 options.
const OPTIONS: [usize; 4] = [0, 4, 8, 40];
/// IPv6 extension headers that are followed, six at most.
const EXTENSIONS: [&[u8]; 6] = [
    &[],
    &[HOP_BY_HOP],
    &[DESTINATION],
    &[ROUTING],
    &[HOP_BY_HOP, DESTINATION, ROUTING],
    &[HOP_BY_HOP, DESTINATION, ROUTING, DESTINATION, DESTINATION, DESTINATION],
];

/// `body` to `port`, in all headers that are followed; with what each is, for messages.
pub(crate) fn around(body: &Body, port: u16) -> Vec<(String, Packet)> {
    let mut found = Vec::new();
    for tags in TAGS {
        let mut add = |what: String, packet: Packet| {
            let packet = Packet { tags: tags.to_vec(), ..packet };
            found.push((format!("tags {tags:04x?}, {what}"), packet));
        };
        for length in OPTIONS {
            let (to, options) = (v4(port), vec![1; length]);
            let packet = Packet { options, ..Packet::new(client(to), to, body.clone()) };
            add(format!("IPv4, {length} bytes of options"), packet);
        }
        for extensions in EXTENSIONS {
            let (to, extensions) = (v6(port), extensions.to_vec());
            let what = format!("IPv6, extension headers {extensions:?}");
            let packet = Packet { extensions, ..Packet::new(client(to), to, body.clone()) };
            add(what, packet);
        }
    }
    found
}

/// Some of them: with and without of each kind.
pub(crate) fn some_around(body: &Body, port: u16) -> Vec<(String, Packet)> {
    let mut found = around(body, port);
    found.retain(|(_, packet)| {
        packet.tags.len() != 1
            && [0, 8].contains(&packet.options.len())
            && [0, 3].contains(&packet.extensions.len())
    });
    found
}

/// Frames that are not IP, or too deep: what each is, and its bytes.
pub(crate) fn not_ip() -> Vec<(String, Vec<u8>)> {
    const ARP: u16 = 0x0806;
    const LLDP: u16 = 0x88cc;
    const MPLS: u16 = 0x8847;
    let mut found = Vec::new();
    for tags in TAGS {
        for ethertype in [ARP, LLDP, MPLS, 0, 0x0600, 0x9100] {
            let mut frame = mirror_tests::craft::MACS.to_vec();
            for tag in tags {
                frame.extend(tag.to_be_bytes());
                frame.extend([0, 5]);
            }
            frame.extend(ethertype.to_be_bytes());
            frame.resize(60, 0x45);
            found.push((format!("tags {tags:04x?}, ethertype {ethertype:#06x}"), frame));
        }
    }
    let (to, body) = (v4(11211), Body::Other(6, vec![0; 40]));
    let tags = vec![DOT1AD, DOT1Q, DOT1Q];
    let deep = Packet { tags, ..Packet::new(client(to), to, body) };
    found.push(("three tags".to_owned(), deep.bytes()));
    found
}

/// ICMP, ESP and the like, in headers that `around` gives.
pub(crate) fn other_protocols(
    around: impl Fn(&Body, u16) -> Vec<(String, Packet)>,
) -> Vec<(String, Packet)> {
    const ICMP: u8 = 1;
    const ESP: u8 = 50;
    const NONE: u8 = 59;
    const SCTP: u8 = 132;
    let mut found = Vec::new();
    for protocol in [ICMP, ESP, NONE, SCTP] {
        let body = Body::Other(protocol, vec![0x2b; 12]);
        for (what, packet) in around(&body, 0) {
            found.push((format!("{what}, protocol {protocol}"), packet));
        }
    }
    found
}
