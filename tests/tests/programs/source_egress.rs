//! What leaves the old host: clones become sealed copies, copies are counted, and the rest is let be.

use std::net::SocketAddr;

use mirror_tests::craft::{ACK, Body, Packet, Segment, URG};

use crate::{
    marks::{self, SENT, SINGLE},
    place::{client, v4, v6},
    shapes,
    source::{FAN, NARROW, OTHER, PORT, Source, datagram, requests, segment},
    table::{Fate, In, Table},
    truncated,
};

/// What the first word of a clone's control buffer says.
const TOKEN: u32 = 0x6d69_7272;

/// All of it, with a wire.
pub(crate) fn rows(source: &Source, table: &mut Table<'_>) {
    for body in requests() {
        for (what, packet) in shapes::around(&body, PORT) {
            rewritten(source, table, &what, &packet);
        }
    }
    flags(source, table);
    datagrams(source, table);
    cut_short(source, table);
    two_targets(source, table);
    without_a_map(source, table);
    leaving(source, table);
    others(source, table);
}

/// Somebody else drops the clones for further targets. The copy at hand is not theirs.
pub(crate) fn rows_with_clones_refused(source: &Source, table: &mut Table<'_>) {
    for body in requests() {
        let packet = Packet::new(client(v4(FAN)), v4(FAN), body);
        let fate = Fate::Redirected(Source::copy(&packet, 3).bytes(), SENT | 3);
        let input = clone(packet.bytes(), marks::FAN | 3);
        table.row("refused", &source.egress, input, &fate, "map4:copies map4:failed_clone");
    }
}

/// A clone as it comes from ingress.
pub(crate) fn clone(frame: Vec<u8>, mark: u32) -> In {
    In { token: TOKEN, ..In::marked(frame, mark) }
}

/// A clone to [`PORT`] becomes its copy, whichever of the two it is.
fn rewritten(source: &Source, table: &mut Table<'_>, what: &str, packet: &Packet) {
    let map = Source::map_of(packet);
    let fate = Fate::Redirected(Source::copy(packet, map).bytes(), SENT | map);
    for mark in [marks::FAN | map, SINGLE | map] {
        let what = format!("{what}, mark {mark:#x}");
        table.row(&what, &source.egress, clone(packet.bytes(), mark), &fate, "");
    }
}

/// A clone to [`PORT`] cannot be sealed.
fn not_rewritten(
    source: &Source,
    table: &mut Table<'_>,
    what: &str,
    (to, frame): (SocketAddr, Vec<u8>),
) {
    let map = if to.is_ipv4() { 0 } else { 1 };
    let counts = format!("map{map}:failed_rewrite");
    for mark in [marks::FAN | map, SINGLE | map] {
        let input = clone(frame.clone(), mark);
        table.row(what, &source.egress, input, &Fate::Dropped, &counts);
    }
}

fn flags(source: &Source, table: &mut Table<'_>) {
    for to in [v4(PORT), v6(PORT)] {
        for flags in 0..=255 {
            let packet = Packet::tcp(client(to), to, Segment { flags, ..segment() });
            let what = format!("{to}: flags {flags:#04x}");
            if flags & URG == 0 {
                rewritten(source, table, &what, &packet);
            } else {
                not_rewritten(source, table, &what, (to, packet.bytes()));
            }
        }
    }
}

fn datagrams(source: &Source, table: &mut Table<'_>) {
    for to in [v4(PORT), v6(PORT)] {
        let packet = Packet::new(client(to), to, Body::Udp(datagram()));
        // A checksum may come out as zero, which would mean that there is none (RFC 768).
        let mut zeros = 0;
        for id in 0..=u16::MAX {
            let mut packet = packet.clone();
            packet.datagram().payload[..2].copy_from_slice(&id.to_be_bytes());
            let copy = Source::copy(&packet, Source::map_of(&packet));
            if copy.bytes()[copy.l4() + 6..copy.l4() + 8] == [0xff, 0xff] {
                zeros += 1;
                let what = format!("{to}: request {id}, whose checksum sums to zero");
                rewritten(source, table, &what, &packet);
            }
        }
        assert_eq!(zeros, 1, "one of all numbers gives each sum");
        let mut unsummed = packet;
        unsummed.datagram().unsummed = true;
        rewritten(source, table, &format!("{to}: no UDP checksum"), &unsummed);
    }
}

fn cut_short(source: &Source, table: &mut Table<'_>) {
    for body in requests() {
        for (what, packet) in shapes::some_around(&body, PORT) {
            truncated::each(&packet.bytes(), |frame| {
                if truncated::is_taken(frame) {
                    let what = format!("{what}, the first {} bytes", frame.len());
                    not_rewritten(source, table, &what, (packet.to, frame.to_vec()));
                }
            });
        }
    }
}

fn two_targets(source: &Source, table: &mut Table<'_>) {
    for body in requests() {
        let packet = Packet::new(client(v4(FAN)), v4(FAN), body.clone());
        let length = packet.ip_length();
        // The clone for the other target leaves at once.
        let counts = format!("map4:copies map4:sent map4:sent_segments map4:sent_bytes={length}");
        let fate = Fate::Redirected(Source::copy(&packet, 3).bytes(), SENT | 3);
        let input = clone(packet.bytes(), marks::FAN | 3);
        table.row("for two targets", &source.egress, input, &fate, &counts);
        source.place.wire.receive();

        for map in [3, 4] {
            let fate = Fate::Redirected(Source::copy(&packet, map).bytes(), SENT | map);
            let input = clone(packet.bytes(), SINGLE | map);
            table.row("for one of two targets", &source.egress, input, &fate, "");
        }
        let packet = Packet::new(client(v6(FAN)), v6(FAN), body);
        let fate = Fate::Redirected(Source::copy(&packet, 5).bytes(), SENT | 5);
        let input = clone(packet.bytes(), marks::FAN | 5);
        table.row("the only target of IPv6", &source.egress, input, &fate, "");
    }
}

/// The map was taken away while the clone was on its way.
fn without_a_map(source: &Source, table: &mut Table<'_>) {
    for body in requests() {
        for to in [v4(OTHER), v4(NARROW), v6(OTHER)] {
            let frame = Packet::new(client(to), to, body.clone()).bytes();
            for mark in [marks::FAN | 6, SINGLE | 6, marks::FAN | 0xfff, SINGLE | 0xfff] {
                let what = format!("{to}: mark {mark:#x}");
                let input = clone(frame.clone(), mark);
                table.row(&what, &source.egress, input, &Fate::Dropped, "egress_unmapped");
            }
        }
    }
}

/// Copies on their second way through: counted, and let go without a mark.
fn leaving(source: &Source, table: &mut Table<'_>) {
    for body in requests() {
        for (what, packet) in shapes::around(&body, PORT) {
            let map = Source::map_of(&packet);
            let copy = Source::copy(&packet, map);
            let counts = format!(
                "map{map}:sent map{map}:sent_segments map{map}:sent_bytes={}",
                copy.ip_length()
            );
            let input = In::marked(copy.bytes(), SENT | map);
            table.row(&what, &source.egress, input, &Fate::Becomes(copy.bytes(), 0), &counts);
        }
    }
    for to in [v4(PORT), v6(PORT)] {
        for (payload, size, segments) in [
            (0, 0, 1),
            (1448, 0, 1),
            (1448, 1448, 1),
            (1449, 1448, 2),
            (3000, 1000, 3),
            (3001, 1000, 4),
        ] {
            let payload = vec![b'p'; payload];
            let packet = Packet::tcp(client(to), to, Segment { payload, ..segment() });
            let map = Source::map_of(&packet);
            let copy = Source::copy(&packet, map);
            let input = In { gso_size: size, ..In::marked(copy.bytes(), SENT | map) };
            let what = format!("{to}: {} bytes in segments of {size}", copy.ip_length());
            let counts = format!(
                "map{map}:sent map{map}:sent_segments={segments} map{map}:sent_bytes={}",
                copy.ip_length()
            );
            table.row(&what, &source.egress, input, &Fate::Becomes(copy.bytes(), 0), &counts);
        }
    }
    // Not a copy, but with its mark.
    for (what, frame) in shapes::not_ip() {
        let counts = format!(
            "map0:sent map0:sent_segments map0:sent_bytes={}",
            frame.len() - truncated::ETHERNET
        );
        let input = In::marked(frame.clone(), SENT);
        table.row(&what, &source.egress, input, &Fate::Becomes(frame, 0), &counts);
    }
}

/// Everything else leaves as it is.
fn others(source: &Source, table: &mut Table<'_>) {
    let mut frames = shapes::not_ip();
    let mut add = |cases: Vec<(String, Packet)>| {
        frames.extend(cases.into_iter().map(|(what, packet)| (what, packet.bytes())));
    };
    for body in requests() {
        add(shapes::around(&body, PORT));
        add(shapes::around(&body, OTHER));
    }
    add(shapes::other_protocols(shapes::around));
    for (what, frame) in frames {
        table.row(&what, &source.egress, frame, &Fate::Passes, "egress_other");
    }
    let packet = Packet::tcp(client(v4(PORT)), v4(PORT), Segment { flags: ACK, ..segment() });
    truncated::each(&packet.bytes(), |frame| {
        if truncated::is_taken(frame) {
            let what = format!("the first {} bytes", frame.len());
            table.row(&what, &source.egress, frame.to_vec(), &Fate::Passes, "egress_other");
        }
    });
    // Somebody else's mark, even one that looks like a clone's: without the token it is none.
    let not_clones = marks::ours().filter(|mark| mark & 0xf000 != SENT & 0xf000);
    for mark in not_clones.chain(marks::not_ours()) {
        let input = In::marked(packet.bytes(), mark);
        let what = format!("mark {mark:#x} without a token");
        table.row(&what, &source.egress, input, &Fate::Passes, "egress_other");
    }
    for mark in marks::not_ours() {
        let input = clone(packet.bytes(), mark);
        let what = format!("mark {mark:#x} with a token");
        table.row(&what, &source.egress, input, &Fate::Passes, "egress_other");
    }
}
