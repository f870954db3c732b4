//! What leaves the new host and belongs to no mirrored connection.

use mirror_tests::craft::{Body, Packet};

use crate::{
    marks,
    place::{client, v4, v6},
    shapes,
    source::{datagram, requests},
    table::{Fate, In, Table},
    target::{OTHER, PORT, Target, sealed},
    truncated,
};

pub(crate) fn rows(target: &Target, table: &mut Table<'_>) {
    others(target, table);
    cut_short(target, table);
    replies_to_real_clients(target, table);
    datagrams(target, table);
}

/// The way back of a packet.
fn back(packet: &Packet) -> Packet {
    Packet { from: packet.to, to: packet.from, ..packet.clone() }
}

fn others(target: &Target, table: &mut Table<'_>) {
    let mut frames = shapes::not_ip();
    let mut add = |cases: Vec<(String, Packet)>| {
        frames.extend(cases.into_iter().map(|(what, packet)| (what, back(&packet).bytes())));
    };
    add(shapes::other_protocols(shapes::around));
    for body in requests() {
        add(shapes::around(&body, OTHER));
    }
    for (what, frame) in frames {
        table.row(&what, &target.egress, frame, &Fate::Passes, "egress_other");
    }
    for body in requests() {
        // To the port, not from it.
        for (what, packet) in shapes::around(&body, PORT) {
            table.row(&what, &target.egress, packet.bytes(), &Fate::Passes, "egress_other");
        }
    }
}

fn cut_short(target: &Target, table: &mut Table<'_>) {
    for body in requests() {
        for (what, packet) in shapes::some_around(&body, PORT) {
            truncated::each(&back(&packet).bytes(), |frame| {
                if truncated::is_taken(frame) {
                    let what = format!("{what}, the first {} bytes", frame.len());
                    table.row(&what, &target.egress, frame.to_vec(), &Fate::Passes, "egress_other");
                }
            });
        }
    }
}

fn replies_to_real_clients(target: &Target, table: &mut Table<'_>) {
    for (what, packet) in shapes::around(&requests()[0], PORT) {
        let packet = Packet { from: target.new_client(packet.to), ..packet };
        let frame = back(&packet).bytes();
        table.row(&what, &target.egress, frame.clone(), &Fate::Passes, "direct_out");
        for mark in marks::ours().chain(marks::not_ours()) {
            let what = format!("{what}, mark {mark:#x}");
            let input = In::marked(frame.clone(), mark);
            table.row(&what, &target.egress, input, &Fate::Passes, "direct_out");
        }
    }
}

/// A datagram passes if a direct client asked for it.
fn datagrams(target: &Target, table: &mut Table<'_>) {
    for (what, packet) in shapes::around(&Body::Udp(datagram()), PORT) {
        let request = Packet { from: target.new_client(packet.to), ..packet };
        let reply = back(&request).bytes();
        let mut row = |program, frame: Vec<u8>, fate: &Fate, counts: &str| {
            table.row(&what, program, frame, fate, counts);
        };
        let (ingress, egress) = (&target.ingress, &target.egress);
        row(egress, reply.clone(), &Fate::Diverted, "reply_dropped_udp");
        row(ingress, request.bytes(), &Fate::Passes, "direct_in");
        for _ in 0..2 {
            row(egress, reply.clone(), &Fate::Passes, "direct_out");
        }
        let mut another = back(&request);
        another.datagram().payload[0] ^= 1;
        row(egress, another.bytes(), &Fate::Diverted, "reply_dropped_udp");
        // Now the mirrored client asks with the same number.
        let fate = Fate::Becomes(request.bytes(), 0);
        row(ingress, sealed(&request).bytes(), &fate, "arrived applied");
        row(egress, reply, &Fate::Diverted, "reply_dropped_udp");
    }
    for to in [v4(PORT), v6(PORT)] {
        let request = Packet::new(client(to), to, Body::Udp(datagram()));
        table.row("a request", &target.ingress, request.bytes(), &Fate::Passes, "direct_in");
        for length in 0..16 {
            let mut reply = back(&request);
            reply.datagram().payload.truncate(length);
            let what = format!("{to}: {length} bytes in a datagram");
            let frame = reply.bytes();
            // The number of the request is in the first two.
            let (fate, counts) = if length < 2 {
                (Fate::Diverted, "reply_dropped_udp")
            } else {
                (Fate::Passes, "direct_out")
            };
            table.row(&what, &target.egress, frame, &fate, counts);
        }
    }
}
