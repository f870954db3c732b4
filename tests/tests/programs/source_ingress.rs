//! What arrives at the old host: production goes on untouched whatever it is, and copies leave.

use std::net::SocketAddr;

use mirror_tests::{
    craft::{ACK, Body, DOT1Q, FRAGMENT, HOP_BY_HOP, Packet, RST, SYN, Segment, URG},
    sealed::copy_of,
};

use crate::{
    marks,
    place::{NEIGHBOUR, client, v4, v6},
    shapes,
    source::{FAN, MAGIC, NARROW, OTHER, PORT, Source, datagram, requests, segment},
    table::{Fate, In, Table},
    truncated::ETHERNET,
};

/// All of it, with a wire.
pub(crate) fn rows(source: &Source, table: &mut Table<'_>) {
    for body in requests() {
        for (what, packet) in shapes::around(&body, PORT) {
            copied(source, table, &what, &packet);
        }
    }
    other_traffic(source, table);
    fragments(source, table);
    flags(source, table);
    datagrams(source, table);
    copies_of_others(source, table);
    addresses(source, table);
    foreign_marks(source, table);
    errors(source, table);
}

/// Somebody else drops the clones.
pub(crate) fn rows_with_clones_refused(source: &Source, table: &mut Table<'_>) {
    for body in requests() {
        for (what, packet) in shapes::around(&body, PORT) {
            table.row(&what, &source.ingress, packet.bytes(), &Fate::Passes, "seen failed_clone");
        }
    }
}

/// The request in `body` to `to`.
pub(crate) fn request(body: Body, to: SocketAddr) -> Packet {
    Packet::new(client(to), to, body)
}

/// A packet to [`PORT`] goes on as it is, and its copy leaves.
pub(crate) fn copied(source: &Source, table: &mut Table<'_>, what: &str, packet: &Packet) {
    let copy = Source::copy(packet, Source::map_of(packet)).bytes();
    copied_as(source, table, what, packet.bytes(), copy);
}

/// The same for a frame that is not as it should be, and its copy.
pub(crate) fn copied_as(
    source: &Source,
    table: &mut Table<'_>,
    what: &str,
    packet: impl Into<In>,
    copy: Vec<u8>,
) {
    let packet = packet.into();
    let ipv6 = copy[14] >> 4 == 6;
    let counts = cloned_and_sent(u32::from(ipv6), &copy);
    table.row(what, &source.ingress, packet, &Fate::Passes, &format!("seen mirrored {counts}"));
    assert_eq!(source.place.wire.receive(), on_the_wire(source, copy), "{what}: the copy");
}

/// What map `number` counts for one copy: as it leaves, so that padding counts, too.
fn cloned_and_sent(number: u32, copy: &[u8]) -> String {
    let length = copy.len() - ETHERNET;
    let map = format!("map{number}:");
    format!("{map}copies {map}sent {map}sent_segments {map}sent_bytes={length}")
}

/// A copy between the host and its neighbour.
fn on_the_wire(source: &Source, mut copy: Vec<u8>) -> Vec<u8> {
    copy[..6].copy_from_slice(&NEIGHBOUR);
    copy[6..12].copy_from_slice(&source.place.host.mac_bytes());
    copy
}

/// A frame goes on, is not copied, and is counted.
pub(crate) fn not_copied(
    source: &Source,
    table: &mut Table<'_>,
    what: &str,
    packet: impl Into<In>,
    reason: &str,
) {
    table.row(what, &source.ingress, packet, &Fate::Passes, &format!("seen {reason}"));
}

fn other_traffic(source: &Source, table: &mut Table<'_>) {
    for (what, frame) in shapes::not_ip() {
        not_copied(source, table, &what, frame, "skipped_not_ip");
    }
    for (what, packet) in shapes::other_protocols(shapes::around) {
        not_copied(source, table, &what, packet.bytes(), "skipped_protocol");
    }
    for body in requests() {
        for (what, packet) in shapes::around(&body, OTHER) {
            not_copied(source, table, &what, packet.bytes(), "skipped_port");
        }
    }
}

fn fragments(source: &Source, table: &mut Table<'_>) {
    const MORE: u16 = 0x2000;
    for body in requests() {
        for port in [PORT, OTHER] {
            for (which, fragment) in
                [("first", MORE), ("middle", MORE | 185), ("last", 370), ("last", 0x4000 | 0x1fff)]
            {
                let packet = Packet { fragment, ..request(body.clone(), v4(port)) };
                let what = format!("the {which} fragment ({fragment:#x}), IPv4");
                not_copied(source, table, &what, packet.bytes(), "skipped_fragment");
            }
            for extensions in [vec![FRAGMENT], vec![HOP_BY_HOP, FRAGMENT]] {
                for offset in [0x0001, 0x0a01, 0x0a00, 0] {
                    let packet = Packet {
                        extensions: extensions.clone(),
                        ..request(body.clone(), v6(port))
                    };
                    let mut frame = packet.bytes();
                    let at = packet.l4() - 6;
                    frame[at..at + 2].copy_from_slice(&u16::to_be_bytes(offset));
                    let what = format!("an IPv6 fragment ({offset:#x}) behind {extensions:?}");
                    not_copied(source, table, &what, frame, "skipped_fragment");
                }
            }
        }
        // The bit that has no meaning.
        let packet = Packet { fragment: 0x8000, ..request(body, v4(PORT)) };
        copied(source, table, "no fragment, the reserved bit", &packet);
    }
}

fn flags(source: &Source, table: &mut Table<'_>) {
    for to in [v4(PORT), v6(PORT)] {
        for flags in 0..=255 {
            let packet = request(Body::Tcp(Segment { flags, ..segment() }), to);
            let what = format!("{to}: flags {flags:#04x}");
            if flags & URG == 0 {
                copied(source, table, &what, &packet);
            } else {
                not_copied(source, table, &what, packet.bytes(), "skipped_urgent");
            }
        }
        // Nothing but a header, and as long a header as there can be.
        for (options, payload) in [(0, 0), (0, 1), (4, 0), (40, 0), (40, 1000)] {
            let packet = request(
                Body::Tcp(Segment {
                    options: vec![1; options],
                    payload: vec![b'p'; payload],
                    ..segment()
                }),
                to,
            );
            let what = format!("{to}: {options} bytes of options, {payload} of payload");
            copied(source, table, &what, &packet);
        }
        // An urgent pointer without the flag means nothing.
        let packet = request(Body::Tcp(Segment { urgent: 0xffff, ..segment() }), to);
        copied(source, table, &format!("{to}: an urgent pointer"), &packet);
    }
}

fn datagrams(source: &Source, table: &mut Table<'_>) {
    for to in [v4(PORT), v6(PORT)] {
        let mut packet = request(Body::Udp(datagram()), to);
        packet.datagram().unsummed = true;
        copied(source, table, &format!("{to}: no UDP checksum"), &packet);
        for total in [0u16, 2, 3, 0x0100, 0xffff] {
            let mut packet = request(Body::Udp(datagram()), to);
            packet.datagram().payload[4..6].copy_from_slice(&total.to_be_bytes());
            let what = format!("{to}: one of {total} datagrams");
            not_copied(source, table, &what, packet.bytes(), "skipped_udp_multi");
        }
        for length in 0..8 {
            let mut packet = request(Body::Udp(datagram()), to);
            packet.datagram().payload.truncate(length);
            let what = format!("{to}: {length} bytes in a datagram");
            not_copied(source, table, &what, packet.bytes(), "failed_malformed");
        }
        let packet = request(Body::Udp(datagram()), to);
        let several = In { gso_size: 10, ..packet.bytes().into() };
        let what = format!("{to}: several datagrams in one packet");
        not_copied(source, table, &what, several, "skipped_udp_super");
        let mut packet = request(Body::Udp(datagram()), to);
        packet.datagram().payload.truncate(8);
        copied(source, table, &format!("{to}: a frame header alone"), &packet);
    }
}

/// Copies that other mirrors made are let be, whatever their magic.
fn copies_of_others(source: &Source, table: &mut Table<'_>) {
    for body in requests() {
        for (what, packet) in shapes::around(&body, PORT) {
            let tags = packet.tags.clone();
            let copy = Packet { tags, ..copy_of(&packet, packet.to, MAGIC) };
            not_copied(source, table, &what, copy.bytes(), "skipped_sealed");
        }
    }
    for to in [v4(PORT), v6(PORT)] {
        for flags in (0..=255).filter(|flags| flags & URG == 0) {
            let packet = request(Body::Tcp(Segment { flags, ..segment() }), to);
            let what = format!("{to}: a copy of flags {flags:#04x}");
            let copy = copy_of(&packet, to, MAGIC);
            not_copied(source, table, &what, copy.bytes(), "skipped_sealed");
        }
        for bit in 0..29 {
            let what = format!("{to}: a copy whose magic differs in bit {bit}");
            let magic = MAGIC ^ 1 << bit;
            if bit < 28 {
                let copy = copy_of(&request(Body::Tcp(segment()), to), to, magic);
                not_copied(source, table, &what, copy.bytes(), "skipped_sealed");
            }
            // A datagram has a length that lies.
            let copy = copy_of(&request(Body::Udp(datagram()), to), to, magic);
            not_copied(source, table, &what, copy.bytes(), "failed_malformed");
        }
        // A seal without the flag, or with others.
        for flags in [ACK, RST | ACK, RST | SYN, 0] {
            let mut packet = copy_of(&request(Body::Tcp(segment()), to), to, MAGIC);
            packet.segment().flags = flags;
            copied(source, table, &format!("{to}: a seal with flags {flags:#04x}"), &packet);
        }
        // A reset of the client's own.
        let packet = request(Body::Tcp(Segment { flags: RST, ..segment() }), to);
        copied(source, table, &format!("{to}: a reset"), &packet);
    }
}

fn addresses(source: &Source, table: &mut Table<'_>) {
    let narrow = SocketAddr::from(([192, 0, 2, 7], NARROW));
    for body in requests() {
        let packet = request(body.clone(), narrow);
        let copy = Source::copy(&packet, 2).bytes();
        let counts = format!("seen mirrored {}", cloned_and_sent(2, &copy));
        table.row("to its address", &source.ingress, packet.bytes(), &Fate::Passes, &counts);
        assert_eq!(source.place.wire.receive(), on_the_wire(source, copy), "to its address");
        for to in [v4(NARROW), v6(NARROW)] {
            let what = format!("to {to}, not its address");
            not_copied(source, table, &what, request(body.clone(), to).bytes(), "skipped_address");
        }

        let packet = request(body.clone(), v4(FAN));
        let copies = [3, 4].map(|map| (map, Source::copy(&packet, map).bytes()));
        let counts = copies.each_ref().map(|(map, copy)| cloned_and_sent(*map, copy)).join(" ");
        let counts = format!("seen mirrored {counts}");
        table.row("to two targets", &source.ingress, packet.bytes(), &Fate::Passes, &counts);
        let mut expected = copies.map(|(_, copy)| on_the_wire(source, copy));
        let mut seen = [source.place.wire.receive(), source.place.wire.receive()];
        expected.sort();
        seen.sort();
        assert_eq!(seen, expected, "to two targets");

        let packet = request(body, v6(FAN));
        let copy = Source::copy(&packet, 5).bytes();
        let counts = format!("seen mirrored {}", cloned_and_sent(5, &copy));
        table.row("to one of three", &source.ingress, packet.bytes(), &Fate::Passes, &counts);
        assert_eq!(source.place.wire.receive(), on_the_wire(source, copy), "to one of three");
    }
}

/// Marks that packets have when they arrive, which somebody else on this host must have set: those
/// that look like ours are left alone, others stay as they are.
fn foreign_marks(source: &Source, table: &mut Table<'_>) {
    for body in requests() {
        for tags in [vec![], vec![DOT1Q]] {
            let packet = Packet { tags, ..request(body.clone(), v4(PORT)) };
            for mark in marks::ours() {
                let input = In::marked(packet.bytes(), mark);
                not_copied(source, table, &format!("mark {mark:#x}"), input, "skipped_own");
            }
            for mark in marks::not_ours() {
                let input = In { token: 0x1234_5678, ..In::marked(packet.bytes(), mark) };
                let copy = Source::copy(&packet, 0).bytes();
                let what = format!("mark {mark:#x}");
                copied_as(source, table, &what, input, copy);
            }
        }
    }
    // A mark does not cross the wire.
    for mark in marks::ours() {
        let packet = request(Body::Tcp(segment()), v4(PORT));
        let copy = Source::copy(&packet, 0).bytes();
        let counts = format!("seen mirrored {}", cloned_and_sent(0, &copy));
        source.place.wire.mark(mark);
        let what = format!("mark {mark:#x} on another host");
        table.arrives(&what, &source.place.wire, &packet.bytes(), &counts);
        assert_eq!(source.place.wire.receive(), on_the_wire(source, copy), "{what}: the copy");
    }
    source.place.wire.mark(0);
}

/// ICMP errors about copies end here, and no others.
fn errors(source: &Source, table: &mut Table<'_>) {
    // Destination unreachable, of either family (RFC 792; RFC 4443).
    for (server, protocol, kind) in [(v4(PORT), 1, 3), (v6(PORT), 58, 1)] {
        for body in requests() {
            let packet = request(body, server);
            let copy = Source::copy(&packet, Source::map_of(&packet));
            for (what, about, fate, counts) in [
                ("a copy", &copy, Fate::Dropped, "seen dropped_icmp"),
                ("what the client sent", &packet, Fate::Passes, "seen skipped_protocol"),
            ] {
                let ip = &about.bytes()[about.l3()..];
                let error = [&[kind, 0, 0, 0, 0, 0, 0, 0], &ip[..ip.len().min(200)]].concat();
                let error = Packet::new(about.to, about.from, Body::Other(protocol, error));
                let what = format!("{server}: an ICMP error about {what}");
                table.row(&what, &source.ingress, error.bytes(), &fate, counts);
            }
        }
    }
}
