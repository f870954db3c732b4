//! What arrives at the new host and needs no connection to be judged: what is not a copy goes on
//! untouched, copies of datagrams are opened, and copies that make no sense are dropped.

use std::net::SocketAddr;

use mirror_tests::{
    craft::{ACK, Body, DOT1Q, FRAGMENT, Packet, RST, Segment, URG},
    ports,
    sealed::copy_of,
};

use crate::{
    connection::Connection,
    marks::{self, AGAIN, FAN, HELD, JUDGED, REFLECTED, SINGLE},
    place::{client, v4, v6},
    shapes,
    source::{datagram, requests, segment},
    table::{Fate, In, Table},
    target::{MAGIC, OTHER, PORT, Target, sealed},
    truncated,
};

pub(crate) fn rows(target: &Target, table: &mut Table<'_>) {
    direct_clients(target, table);
    other_traffic(target, table);
    cut_short(target, table);
    opened_datagrams(target, table);
    lies_of_lengths(target, table);
    lies_of_transport(target, table);
    other_magic(target, table);
    other_ports(target, table);
    a_port_that_retires(target, table);
    acked_for_client(target, table);
    foreign_marks(target, table);
    back_from_the_hold_device(target, table);
}

fn request(body: Body, to: SocketAddr) -> Packet {
    Packet::new(client(to), to, body)
}

/// A packet goes on as it is.
fn passes(target: &Target, table: &mut Table<'_>, what: &str, packet: impl Into<In>, counts: &str) {
    table.row(what, &target.ingress, packet, &Fate::Passes, counts);
}

fn dropped(
    target: &Target,
    table: &mut Table<'_>,
    what: &str,
    packet: impl Into<In>,
    counts: &str,
) {
    table.row(what, &target.ingress, packet, &Fate::Dropped, counts);
}

/// A copy of a segment that is as good as any other; it belongs to a connection that nobody knows.
fn unknown_copy(to: SocketAddr) -> Packet {
    sealed(&request(Body::Tcp(segment()), to))
}

fn direct_clients(target: &Target, table: &mut Table<'_>) {
    for body in requests() {
        for (what, packet) in shapes::around(&body, PORT) {
            passes(target, table, &what, packet.bytes(), "direct_in");
        }
    }
    for to in [v4(PORT), v6(PORT)] {
        for flags in 0..=255 {
            let packet = request(Body::Tcp(Segment { flags, ..segment() }), to);
            passes(
                target,
                table,
                &format!("{to}: flags {flags:#04x}"),
                packet.bytes(),
                "direct_in",
            );
        }
        for length in 0..16 {
            let mut packet = request(Body::Udp(datagram()), to);
            packet.datagram().payload.truncate(length);
            let what = format!("{to}: {length} bytes in a datagram");
            passes(target, table, &what, packet.bytes(), "direct_in");
        }
    }
}

fn other_traffic(target: &Target, table: &mut Table<'_>) {
    for (what, frame) in shapes::not_ip() {
        passes(target, table, &what, frame, "ingress_other");
    }
    for (what, packet) in shapes::other_protocols(shapes::around) {
        passes(target, table, &what, packet.bytes(), "ingress_other");
    }
    for body in requests() {
        for (what, packet) in shapes::around(&body, OTHER) {
            passes(target, table, &what, packet.bytes(), "ingress_other");
        }
        // A fragment could be one of a copy, and is none: copies are not made of fragments.
        let packet = sealed(&request(body.clone(), v4(PORT)));
        for (fragment, counts) in
            [(0x2000, "direct_in"), (0x2000 | 185, "ingress_other"), (370, "ingress_other")]
        {
            let packet = Packet { fragment, ..packet.clone() };
            let what = format!("a fragment ({fragment:#x})");
            passes(target, table, &what, packet.bytes(), counts);
        }
        let packet = sealed(&request(body, v6(PORT)));
        let packet = Packet { extensions: vec![FRAGMENT], ..packet };
        passes(target, table, "all of a packet in a fragment", packet.bytes(), "direct_in");
    }
}

/// What is cut short goes on: the stack knows what to do with it, sealed or not.
fn cut_short(target: &Target, table: &mut Table<'_>) {
    for body in requests() {
        for (what, packet) in shapes::some_around(&body, PORT) {
            for (kind, packet) in [("plain", &packet), ("sealed", &sealed(&packet))] {
                truncated::each(&packet.bytes(), |frame| {
                    let what = format!("{what}, {kind}, the first {} bytes", frame.len());
                    let wire = &target.place.wire;
                    truncated::row(table, &what, &target.ingress, wire, frame, "ingress_other");
                });
            }
        }
    }
    for to in [v4(PORT), v6(PORT)] {
        // The same with lengths that are true.
        let whole = unknown_copy(to);
        let tcp = whole.bytes().split_off(whole.l4());
        for length in 0..20 {
            let packet = request(Body::Other(6, tcp[..length].to_vec()), to);
            let what = format!("{to}: {length} bytes of a sealed segment");
            passes(target, table, &what, packet.bytes(), "ingress_other");
        }
    }
}

fn opened_datagrams(target: &Target, table: &mut Table<'_>) {
    let row = |table: &mut Table<'_>, what: &str, plain: &Packet| {
        let fate = Fate::Becomes(plain.bytes(), 0);
        table.row(what, &target.ingress, sealed(plain).bytes(), &fate, "arrived applied");
    };
    for (what, packet) in shapes::around(&Body::Udp(datagram()), PORT) {
        row(table, &what, &packet);
    }
    for to in [v4(PORT), v6(PORT)] {
        let mut packet = request(Body::Udp(datagram()), to);
        packet.datagram().unsummed = true;
        row(table, &format!("{to}: no checksum"), &packet);
        packet.datagram().unsummed = false;
        packet.datagram().payload.truncate(8);
        row(table, &format!("{to}: a frame header alone"), &packet);
        // Its checksum sums to zero, which would mean that there is none.
        let plain = (0..=u16::MAX).map(|id| {
            let mut packet = packet.clone();
            packet.datagram().payload[..2].copy_from_slice(&id.to_be_bytes());
            packet
        });
        let mut zero =
            plain.filter(|packet| packet.bytes()[packet.l4() + 6..packet.l4() + 8] == [0xff, 0xff]);
        let packet = zero.next().expect("one of all numbers gives each sum");
        row(table, &format!("{to}: a checksum of zero"), &packet);
    }
}

fn lies_of_lengths(target: &Target, table: &mut Table<'_>) {
    for (to, at, headers) in [(v4(PORT), 16, 20u16), (v6(PORT), 18, 0)] {
        let packet = unknown_copy(to);
        for lie in 0..=u16::try_from(packet.ip_length()).expect("a short packet") + 10 {
            let mut frame = packet.bytes();
            frame[at..at + 2].copy_from_slice(&lie.to_be_bytes());
            let what = format!("{to}: a length of {lie}");
            // 32 bytes of header, 14 of payload.
            match lie.checked_sub(headers) {
                // The length of super-packets does not fit the field.
                _ if lie == 0 => {
                    dropped(target, table, &what, frame, "arrived discarded_unsynced");
                }
                Some(8..32) => dropped(target, table, &what, frame, "arrived discarded_malformed"),
                Some(32) => dropped(target, table, &what, frame, "arrived discarded_pure_ack"),
                Some(33..=46) => {
                    dropped(target, table, &what, frame, "arrived discarded_unsynced");
                }
                _ => passes(target, table, &what, frame, "ingress_other"),
            }
        }
    }
    for words in 0..=15 {
        let mut frame = unknown_copy(v4(PORT)).bytes();
        frame[14] = 0x40 | words;
        let what = format!("IP header of {words} words");
        if words == 5 {
            dropped(target, table, &what, frame, "arrived discarded_unsynced");
        } else {
            passes(target, table, &what, frame, "ingress_other");
        }
    }
}

fn lies_of_transport(target: &Target, table: &mut Table<'_>) {
    for to in [v4(PORT), v6(PORT)] {
        let packet = unknown_copy(to);
        for words in 0..=15u8 {
            let mut frame = packet.bytes();
            frame[packet.l4() + 12] = words << 4;
            let what = format!("{to}: TCP header of {words} words");
            let reason = if (5..=11).contains(&words) { "unsynced" } else { "malformed" };
            dropped(target, table, &what, frame, &format!("arrived discarded_{reason}"));
        }
        for flags in 0..=255 {
            let mut packet = Packet { from: target.new_client(to), ..packet.clone() };
            packet.segment().flags = flags;
            let what = format!("{to}: a seal with flags {flags:#04x}");
            // RST, alone or with FIN or PSH.
            if flags & !0x09 == RST {
                let counts = match flags & 0x01 {
                    0 => "arrived discarded_unsynced",
                    // The end of a connection of which nothing is known.
                    _ => "arrived discarded_unsynced closed",
                };
                dropped(target, table, &what, packet.bytes(), counts);
            } else {
                passes(target, table, &what, packet.bytes(), "direct_in");
            }
        }
        let mut packet = sealed(&request(Body::Udp(datagram()), to));
        let sealed_length = packet.datagram().length.expect("a length that lies");
        for lie in [0, 8, 37, sealed_length - 1, sealed_length + 1, u16::MAX] {
            packet.datagram().length = Some(lie);
            let what = format!("{to}: UDP length {lie}");
            passes(target, table, &what, packet.bytes(), "direct_in");
        }
    }
}

fn other_magic(target: &Target, table: &mut Table<'_>) {
    for to in [v4(PORT), v6(PORT)] {
        for bit in 0..29 {
            for body in requests() {
                // Of a segment, the seal has room for 28.
                if bit == 28 && matches!(body, Body::Tcp(_)) {
                    continue;
                }
                let counts = match body {
                    Body::Tcp(_) => "arrived_other_magic",
                    _ => "direct_in",
                };
                let packet = copy_of(&request(body, to), to, MAGIC ^ 1 << bit);
                let what = format!("{to}: the magic differs in bit {bit}");
                passes(target, table, &what, packet.bytes(), counts);
            }
        }
    }
}

fn other_ports(target: &Target, table: &mut Table<'_>) {
    for (what, packet) in shapes::around(&Body::Tcp(segment()), OTHER) {
        let frame = sealed(&packet).bytes();
        dropped(target, table, &what, frame.clone(), "arrived discarded_port");
        let input = In::marked(frame.clone(), HELD);
        dropped(target, table, &format!("{what}, held"), input, "released discarded_port");
        let input = In::marked(frame.clone(), AGAIN);
        dropped(target, table, &format!("{what}, again"), input, "discarded_port");
        table.never_arrived();
    }
    for (what, packet) in shapes::around(&Body::Udp(datagram()), OTHER) {
        passes(target, table, &what, sealed(&packet).bytes(), "ingress_other");
    }
}

/// While a port is taken off, copies for it are refused, replies stay here, and direct clients are served.
fn a_port_that_retires(target: &Target, table: &mut Table<'_>) {
    let open = [v4(PORT), v6(PORT)].map(|server| Connection::new(target, server));
    for it in &open {
        it.shakes_hands(table);
    }
    ports::retire(&target.place.host, PORT);
    for it in &open {
        it.discarded(table, "a request", &it.data(1, b"get some_key\r\n"), "discarded_port");
        let reply = it.reply(ACK, 1, 1, b"END\r\n");
        it.swallowed(table, "a reply", &reply, "reply_dropped_data");
    }
    for body in requests() {
        for (what, packet) in shapes::around(&body, PORT) {
            let frame = sealed(&packet).bytes();
            dropped(target, table, &what, frame, "arrived discarded_port");
            passes(target, table, &what, packet.bytes(), "direct_in");
        }
    }
    ports::serve(&target.place.host, PORT);
}

/// What the mirror turned round goes to the stack, whatever it is, and what was judged behind the hold device.
fn acked_for_client(target: &Target, table: &mut Table<'_>) {
    let segments = shapes::around(&Body::Tcp(Segment { flags: ACK, ..segment() }), PORT);
    let segments = segments.into_iter().map(|(what, packet)| (what, packet.bytes()));
    // Were it a copy with somebody else's mark, it stays sealed.
    let copy = ("a copy".to_owned(), unknown_copy(v4(PORT)).bytes());
    for (what, frame) in segments.chain(shapes::not_ip()).chain([copy]) {
        let fate = Fate::Becomes(frame.clone(), 0);
        let input = In::marked(frame.clone(), REFLECTED);
        table.row(&what, &target.ingress, input, &fate, "ack_injected");
        table.row(&what, &target.ingress, In::marked(frame, JUDGED), &fate, "");
    }
}

/// Marks that somebody else must have set. What is not a copy keeps them.
fn foreign_marks(target: &Target, table: &mut Table<'_>) {
    let for_the_stack = |mark: u32| matches!(mark & !0xfff, REFLECTED | JUDGED);
    for mark in marks::ours().filter(|mark| !for_the_stack(*mark)).chain(marks::not_ours()) {
        let what = format!("mark {mark:#x}");
        for body in requests() {
            for tags in [vec![], vec![DOT1Q]] {
                let packet = Packet { tags, ..request(body.clone(), v4(PORT)) };
                let input = In { token: 7, ..In::marked(packet.bytes(), mark) };
                passes(target, table, &what, input, "direct_in");
            }
        }
        // A datagram has no state in its mark: it is opened, and keeps it.
        let plain = request(Body::Udp(datagram()), v4(PORT));
        let input = In::marked(sealed(&plain).bytes(), mark);
        let fate = Fate::Becomes(plain.bytes(), mark);
        table.row(&what, &target.ingress, input, &fate, "arrived applied");
    }
    // Nor does one of the source's mean anything here.
    let of_the_source = [FAN, SINGLE].map(|stage| stage | 1);
    for mark in marks::not_ours().into_iter().chain(of_the_source) {
        let to = v4(PORT);
        let it = Connection::new(target, to);
        it.shakes_hands(table);
        let packet = it.data(1, b"get a\r\n");
        // A segment that is given to the stack has no mark.
        let fate = Connection::as_delivered(&packet, 1);
        let input = In::marked(sealed(&packet).bytes(), mark);
        let what = format!("data, mark {mark:#x}");
        table.row(&what, &target.ingress, input, &fate, "arrived applied");
    }
    // A mark does not cross the wire.
    for mark in marks::ours() {
        target.place.wire.mark(mark);
        let packet = request(Body::Tcp(Segment { flags: ACK | URG, ..segment() }), v4(PORT));
        let what = format!("mark {mark:#x} on another host");
        table.arrives(&what, &target.place.wire, &packet.bytes(), "direct_in");
    }
    target.place.wire.mark(0);
}

/// The far end of the hold device sends back as it is what belongs to no connection that is fed.
fn back_from_the_hold_device(target: &Target, table: &mut Table<'_>) {
    for body in requests() {
        for (what, packet) in shapes::around(&body, PORT) {
            for mark in [HELD, HELD | 0xfff] {
                let input = In::marked(sealed(&packet).bytes(), mark);
                table.row(&what, &target.hold, input, &Fate::Diverted, "");
            }
            let frame = sealed(&packet).bytes();
            table.row(&what, &target.hold, frame, &Fate::Dropped, "ingress_other");
        }
    }
    for (what, frame) in shapes::not_ip() {
        table.row(&what, &target.hold, frame, &Fate::Dropped, "ingress_other");
    }
}
