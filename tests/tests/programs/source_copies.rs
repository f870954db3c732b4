//! What happens at the copy device: clones become sealed copies, which are counted and sent, and the rest ends.

use std::net::SocketAddr;

use mirror_tests::craft::{ACK, Body, Packet, SYN, Segment, URG};

use crate::{
    marks::{self, SINGLE},
    place::{client, target, v4, v6},
    shapes,
    source::{FAN, NARROW, OTHER, PORT, Source, datagram, requests, segment},
    table::{Fate, In, Table},
    truncated,
};

/// What the first word of a clone's control buffer says.
const TOKEN: u32 = 0x6d69_7272;

/// All of it, with a wire. What ends at the copy device is redirected to nowhere.
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
    super_packets(source, table);
    without_a_way(source, table);
    without_a_next_hop(source, table);
    others(source, table);
}

/// The copy device is gone, so that there are no clones for further targets, and nobody to ask for the way.
pub(crate) fn rows_with_clones_refused(source: &Source, table: &mut Table<'_>) {
    for body in requests() {
        let packet = Packet::new(client(v4(FAN)), v4(FAN), body);
        let fate = Fate::Redirected(Source::copy(&packet, 3).bytes(), 0);
        let input = clone(packet.bytes(), marks::FAN | 3);
        let counts = "map3:unsent_no_route map4:copies map4:failed_clone";
        table.row("refused", &source.copies, input, &fate, counts);
    }
}

/// A clone as it comes from ingress.
pub(crate) fn clone(frame: Vec<u8>, mark: u32) -> In {
    In { token: TOKEN, ..In::marked(frame, mark) }
}

/// A clone to [`PORT`] becomes its copy, whichever of the two it is.
fn rewritten(source: &Source, table: &mut Table<'_>, what: &str, packet: &Packet) {
    let map = Source::map_of(packet);
    let fate = Fate::Redirected(Source::copy(packet, map).bytes(), 0);
    let counts = Source::sent(packet, map, 1);
    for mark in [marks::FAN | map, SINGLE | map] {
        let what = format!("{what}, mark {mark:#x}");
        table.row(&what, &source.copies, clone(packet.bytes(), mark), &fate, &counts);
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
        table.row(what, &source.copies, input, &Fate::Diverted, &counts);
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
        let sent = |map| Source::sent(&packet, map, 1);
        // The clone for the other target leaves at once.
        let counts = sent(3) + "map4:copies " + &sent(4);
        let fate = Fate::Redirected(Source::copy(&packet, 3).bytes(), 0);
        let input = clone(packet.bytes(), marks::FAN | 3);
        table.row("for two targets", &source.copies, input, &fate, &counts);
        source.place.wire.receive();

        for map in [3, 4] {
            let fate = Fate::Redirected(Source::copy(&packet, map).bytes(), 0);
            let input = clone(packet.bytes(), SINGLE | map);
            table.row("for one of two targets", &source.copies, input, &fate, &sent(map));
        }
        let packet = Packet::new(client(v6(FAN)), v6(FAN), body);
        let fate = Fate::Redirected(Source::copy(&packet, 5).bytes(), 0);
        let input = clone(packet.bytes(), marks::FAN | 5);
        let counts = Source::sent(&packet, 5, 1);
        table.row("the only target of IPv6", &source.copies, input, &fate, &counts);
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
                table.row(&what, &source.copies, input, &Fate::Diverted, "unmapped");
            }
        }
    }
}

/// Several segments in one packet are counted one by one.
fn super_packets(source: &Source, table: &mut Table<'_>) {
    for to in [v4(PORT), v6(PORT)] {
        for (payload, size, segments) in [
            (0, 0, 1),
            (1428, 0, 1),
            (1428, 1428, 1),
            (1429, 1428, 2),
            (3000, 1000, 3),
            (3001, 1000, 4),
        ] {
            let payload = vec![b'p'; payload];
            let packet = Packet::tcp(client(to), to, Segment { payload, ..segment() });
            let map = Source::map_of(&packet);
            let copy = Source::copy(&packet, map);
            let input = In { gso_size: size, ..clone(packet.bytes(), SINGLE | map) };
            let what = format!("{to}: {} bytes in segments of {size}", copy.ip_length());
            let counts = format!(
                "map{map}:sent map{map}:sent_segments={segments} map{map}:sent_bytes={}",
                copy.ip_length()
            );
            let fate = Fate::Redirected(copy.bytes(), 0);
            table.row(&what, &source.copies, input, &fate, &counts);
        }
    }
}

/// The path to the target takes no packets of more than 1500 bytes, and the route none to another target.
fn without_a_way(source: &Source, table: &mut Table<'_>) {
    for body in requests() {
        for to in [v4(PORT), v6(PORT)] {
            let packet = Packet::new(client(to), to, body.clone());
            let map = Source::map_of(&packet);
            let input = || clone(packet.bytes(), SINGLE | map);
            let target = target(to);
            let bits = if to.is_ipv4() { 32 } else { 128 };
            let host = &source.place.host;

            host.ip(&["route", "add", "unreachable", &format!("{target}/{bits}")]);
            let counts = format!("map{map}:unsent_no_route");
            let fate = Fate::Redirected(Source::copy(&packet, map).bytes(), 0);
            table.row("no route", &source.copies, input(), &fate, &counts);
            host.ip(&["route", "del", "unreachable", &format!("{target}/{bits}")]);
        }
    }
    for to in [v4(PORT), v6(PORT)] {
        // A SYN is not cut.
        for (payload, flags, fits) in [(1400, ACK, true), (1500, SYN, false)] {
            let payload = vec![b'p'; payload];
            let packet = Packet::tcp(client(to), to, Segment { payload, flags, ..segment() });
            let map = Source::map_of(&packet);
            let input = clone(packet.bytes(), SINGLE | map);
            let copy = Source::copy(&packet, map);
            let counts = if fits {
                Source::sent(&packet, map, 1)
            } else {
                format!("map{map}:unsent_too_large")
            };
            let fate = Fate::Redirected(copy.bytes(), 0);
            let what = format!("{to}: {} bytes", copy.ip_length());
            table.row(&what, &source.copies, input, &fate, &counts);
        }
    }
}

/// The next hop's link-layer address is not known.
fn without_a_next_hop(source: &Source, table: &mut Table<'_>) {
    for to in [v4(PORT), v6(PORT)] {
        let packet = Packet::new(client(to), to, requests()[0].clone());
        let map = Source::map_of(&packet);
        let target = target(to).to_string();
        let host = &source.place.host;
        host.ip(&["neigh", "del", &target, "dev", "eth0"]);
        let input = clone(packet.bytes(), SINGLE | map);
        let fate = Fate::Redirected(Source::copy(&packet, map).bytes(), 0);
        let counts = format!("map{map}:unsent_next_hop");
        table.row(&format!("{to}: no next hop"), &source.copies, input, &fate, &counts);
        source.place.know(to);
    }
}

/// Nothing else comes by, and what does ends.
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
        table.row(&what, &source.copies, frame, &Fate::Diverted, "copy_device_other");
    }
    let packet = Packet::tcp(client(v4(PORT)), v4(PORT), Segment { flags: ACK, ..segment() });
    truncated::each(&packet.bytes(), |frame| {
        if truncated::is_taken(frame) {
            let what = format!("the first {} bytes", frame.len());
            table.row(&what, &source.copies, frame.to_vec(), &Fate::Diverted, "copy_device_other");
        }
    });
    // Somebody else's mark, even one that looks like a clone's: without the token it is none.
    for mark in marks::ours().chain(marks::not_ours()) {
        let input = In::marked(packet.bytes(), mark);
        let what = format!("mark {mark:#x} without a token");
        table.row(&what, &source.copies, input, &Fate::Diverted, "copy_device_other");
    }
    for mark in marks::not_ours() {
        let input = clone(packet.bytes(), mark);
        let what = format!("mark {mark:#x} with a token");
        table.row(&what, &source.copies, input, &Fate::Diverted, "copy_device_other");
    }
}
