//! What arrives at the old host and is not what it says: it goes on, and is copied or not, by a reason.

use mirror_tests::craft::{Body, DESTINATION, HOP_BY_HOP, Packet};

use crate::{
    place::{v4, v6},
    shapes,
    source::{OTHER, PORT, Source, datagram, requests, segment},
    source_ingress::{copied, copied_as, not_copied, request},
    table::Table,
    truncated,
};

pub(crate) fn rows(source: &Source, table: &mut Table<'_>) {
    cut_short(source, table);
    lies_of_ipv4(source, table);
    lies_of_ipv6(source, table);
    lies_of_transport(source, table);
}

/// What is cut short is malformed as long as it could still become a request.
fn cut_short(source: &Source, table: &mut Table<'_>) {
    let mut cases = Vec::new();
    for body in requests() {
        let mapped = shapes::some_around(&body, PORT);
        let others = shapes::some_around(&body, OTHER);
        cases.extend(mapped.into_iter().map(|case| (case, "")));
        // A port of others is found in the plainest packets before anything else is looked at.
        cases.extend(others.into_iter().map(|case| {
            let plain = case.1.to.is_ipv4() && case.1.l4() == 14 + 20;
            (case, if plain { "skipped_port" } else { "" })
        }));
    }
    let others = shapes::other_protocols(shapes::some_around);
    cases.extend(others.into_iter().map(|case| (case, "skipped_protocol")));
    for ((what, packet), known) in cases {
        // Not all of the headers need be there to know the protocol.
        let enough = match (known, packet.to.is_ipv4(), packet.extensions.len()) {
            ("", ..) => usize::MAX,
            ("skipped_port", ..) => packet.l4() + 6,
            (_, true, _) => packet.l3() + 20,
            (_, false, 0) => packet.l3() + 8,
            (_, false, _) => packet.l4() - 6,
        };
        truncated::each(&packet.bytes(), |frame| {
            let reason = if frame.len() < enough { "failed_malformed" } else { known };
            let what = format!("{what}, the first {} bytes", frame.len());
            truncated::row(
                table,
                &what,
                &source.ingress,
                &source.place.wire,
                frame,
                &format!("seen {reason}"),
            );
        });
    }
    for (what, frame) in shapes::not_ip() {
        // Behind a tag, the type of what is tagged has to be there.
        let tags =
            frame[12..].chunks(4).take_while(|tag| matches!(tag, [0x81 | 0x88, 0 | 0xa8, ..]));
        let enough = 14 + 4 * tags.count().min(2);
        truncated::each(&frame, |frame| {
            let reason = if frame.len() < enough { "failed_malformed" } else { "skipped_not_ip" };
            let what = format!("{what}, the first {} bytes", frame.len());
            not_copied(source, table, &what, frame.to_vec(), reason);
        });
    }
}

fn lies_of_ipv4(source: &Source, table: &mut Table<'_>) {
    let packet = request(Body::Tcp(segment()), v4(PORT));
    let (plain, copy) = (packet.bytes(), Source::copy(&packet, 0).bytes());
    let l3 = packet.l3();
    assert_eq!((l3, packet.ip_length()), (14, 66), "the numbers below are about this packet");
    for version in (0..=15).filter(|version| *version != 4) {
        let mut frame = plain.clone();
        frame[l3] = version << 4 | 5;
        not_copied(source, table, &format!("IP version {version}"), frame, "failed_malformed");
    }
    for words in (0..=15).filter(|words| *words != 5) {
        let mut frame = plain.clone();
        frame[l3] = 0x40 | words;
        // A header that seems longer has the ports elsewhere, or nowhere.
        let reason = if (6..15).contains(&words) { "skipped_port" } else { "failed_malformed" };
        not_copied(source, table, &format!("IP header of {words} words"), frame, reason);
    }
    let longer = [67, 68, 80, 128, 1500, 0x4242, 0x7fff, 0x8000, 0xffff];
    for lie in (0u16..66).chain(longer) {
        let what = format!("IPv4 total length {lie}");
        let with = |bytes: &[u8]| {
            let mut frame = bytes.to_vec();
            frame[l3 + 2..l3 + 4].copy_from_slice(&lie.to_be_bytes());
            frame
        };
        match lie {
            // The length of super-packets does not fit the field, which is then zero.
            0 => copied_as(source, table, &what, with(&plain), with(&copy)),
            // Headers and no more, up to all but one byte: the rest is padding.
            52..=65 => copied_as(source, table, &what, with(&plain), with(&copy)),
            _ => not_copied(source, table, &what, with(&plain), "failed_malformed"),
        }
    }
    let padded = Packet { padding: vec![0xee; 7], ..packet };
    copied(source, table, "Ethernet padding", &padded);
}

fn lies_of_ipv6(source: &Source, table: &mut Table<'_>) {
    let packet = request(Body::Tcp(segment()), v6(PORT));
    let (plain, copy) = (packet.bytes(), Source::copy(&packet, 1).bytes());
    assert_eq!(packet.ip_length(), 86, "the numbers below are about this packet");
    for version in (0..=15).filter(|version| *version != 6) {
        let mut frame = plain.clone();
        frame[14] = version << 4;
        not_copied(source, table, &format!("IP version {version}"), frame, "failed_malformed");
    }
    for lie in (0u16..46).chain([47, 48, 60, 1460, 0x7fff, 0xffff]) {
        let what = format!("IPv6 payload length {lie}");
        let with = |bytes: &[u8]| {
            let mut frame = bytes.to_vec();
            frame[18..20].copy_from_slice(&lie.to_be_bytes());
            frame
        };
        match lie {
            0 => copied_as(source, table, &what, with(&plain), with(&copy)),
            32..=45 => copied_as(source, table, &what, with(&plain), with(&copy)),
            _ => not_copied(source, table, &what, with(&plain), "failed_malformed"),
        }
    }
    let mut extended = packet.clone();
    extended.extensions = vec![HOP_BY_HOP];
    for units in 1..=255 {
        let mut frame = extended.bytes();
        frame[14 + 40 + 1] = units;
        // The next header is in the segment's options and payload, or nowhere.
        let reason = if 8 * (usize::from(units) + 1) + 8 <= 54 {
            "skipped_port"
        } else {
            "failed_malformed"
        };
        not_copied(
            source,
            table,
            &format!("an extension of 8 * {units} bytes more"),
            frame,
            reason,
        );
    }
    extended.extensions = vec![DESTINATION; 7];
    not_copied(source, table, "seven extension headers", extended.bytes(), "skipped_protocol");
}

fn lies_of_transport(source: &Source, table: &mut Table<'_>) {
    for to in [v4(PORT), v6(PORT)] {
        let packet = request(Body::Tcp(segment()), to);
        let copy = Source::copy(&packet, Source::map_of(&packet)).bytes();
        // The copy has no tags, as the packet.
        let at = packet.l4() + 12;
        for words in 0..=15u8 {
            let what = format!("{to}: TCP header of {words} words");
            let with = |bytes: &[u8]| {
                let mut frame = bytes.to_vec();
                frame[at] = words << 4;
                frame
            };
            // 46 bytes of TCP. The checksum is as wrong in the copy.
            if (5..=11).contains(&words) {
                copied_as(source, table, &what, with(&packet.bytes()), with(&copy));
            } else {
                not_copied(source, table, &what, with(&packet.bytes()), "failed_malformed");
            }
        }
        // A header that is not all there, in a packet that says so.
        let tcp = packet.bytes().split_off(packet.l4());
        for length in 0..20 {
            let packet = request(Body::Other(6, tcp[..length].to_vec()), to);
            let what = format!("{to}: {length} bytes of a segment");
            not_copied(source, table, &what, packet.bytes(), "failed_malformed");
        }
        for lie in (0..100).chain([1000, 0x7fff, 0xffff]) {
            let mut packet = request(Body::Udp(datagram()), to);
            let true_length = 8 + packet.datagram().payload.len();
            packet.datagram().length = Some(lie);
            let what = format!("{to}: UDP length {lie}");
            if usize::from(lie) == true_length {
                copied(source, table, &what, &packet);
            } else {
                not_copied(source, table, &what, packet.bytes(), "failed_malformed");
            }
        }
    }
}
