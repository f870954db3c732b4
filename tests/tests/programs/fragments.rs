//! IP fragments: the first of a packet decides for all of it.

use std::net::SocketAddr;

use mirror_tests::craft::{ACK, Body, FRAGMENT, HOP_BY_HOP, PSH, Packet};

use crate::{
    connection::Connection,
    place::{client, v4, v6},
    source::datagram,
    table::{Fate, Table},
    target::{OTHER, PORT, Target, sealed},
};

/// Bit for more fragments, and an offset in units of eight bytes: of the first, one between, and the last.
const FIRST: (bool, u16) = (true, 0);
const MIDDLE: (bool, u16) = (true, 100);
const LAST: (bool, u16) = (false, 200);

pub(crate) fn rows(target: &Target, table: &mut Table<'_>) {
    for server in [v4(PORT), v6(PORT)] {
        for behind in [&[][..], &[HOP_BY_HOP]] {
            let headers = Packet { extensions: behind.to_vec(), ..packet(target, server) };
            of_datagrams(target, table, &headers);
            requests(target, table, &headers);
        }
        of_segments(target, table, server);
    }
    for server in [v4(OTHER), v6(OTHER)] {
        let reply = back(&packet(target, server));
        for at in [FIRST, MIDDLE, LAST] {
            leaves(target, table, "of another port", &reply, at, "egress_other");
        }
    }
}

/// A request of a client that nobody has heard of.
fn packet(target: &Target, server: SocketAddr) -> Packet {
    let request = Packet::new(client(server), server, Body::Udp(datagram()));
    Packet { from: target.new_client(server), ..request }
}

fn back(packet: &Packet) -> Packet {
    Packet { from: packet.to, to: packet.from, ..packet.clone() }
}

/// A fragment of `packet`. What it carries is as in the first, which nobody reads of the others.
fn fragment(packet: &Packet, (more, offset): (bool, u16)) -> Vec<u8> {
    if packet.to.is_ipv4() {
        let fragment = offset | if more { 0x2000 } else { 0 };
        return Packet { options: Vec::new(), fragment, ..packet.clone() }.bytes();
    }
    let mut packet = packet.clone();
    packet.extensions.push(FRAGMENT);
    let mut frame = packet.bytes();
    let at = packet.l4() - 6;
    frame[at..at + 2].copy_from_slice(&(offset << 3 | u16::from(more)).to_be_bytes());
    frame
}

/// A fragment leaves, and `counts` says whether it passes.
fn leaves(
    target: &Target,
    table: &mut Table<'_>,
    what: &str,
    packet: &Packet,
    at: (bool, u16),
    counts: &str,
) {
    let what = format!("{:?}: {what}, fragment {at:?}", packet.to);
    let fate = if counts == "reply_dropped_fragment" { Fate::Diverted } else { Fate::Passes };
    table.row(&what, &target.egress, fragment(packet, at), &fate, counts);
}

fn of_datagrams(target: &Target, table: &mut Table<'_>, request: &Packet) {
    let (dropped, reply) = ("reply_dropped_fragment", back(request));
    let mut leaves = |what: &str, at, counts| leaves(target, table, what, &reply, at, counts);
    leaves("of a packet nobody began", MIDDLE, "egress_other");
    for at in [FIRST, MIDDLE, MIDDLE, LAST] {
        leaves("nobody asked", at, dropped);
    }
    leaves("of the next packet", MIDDLE, "egress_other");
    leaves("nobody asked, the next", FIRST, dropped);

    // A direct client asks; the number of its packet is that of one that was dropped.
    table.row("a request", &target.ingress, request.bytes(), &Fate::Passes, "direct_in");
    let mut leaves = |what: &str, at, counts| self::leaves(target, table, what, &reply, at, counts);
    leaves("a real client asked", FIRST, "direct_out");
    for at in [MIDDLE, LAST] {
        leaves("a real client asked", at, "egress_other");
    }
    // The mirrored client asks with the same number.
    let (fate, copy) = (Fate::Becomes(request.bytes(), 0), sealed(request).bytes());
    table.row("a copy", &target.ingress, copy, &fate, "arrived applied");
    for at in [FIRST, LAST] {
        self::leaves(target, table, "a mirrored client asked", &reply, at, dropped);
    }
    // Too short for the number of the request, which is behind the ports.
    let mut short = reply;
    short.datagram().payload.truncate(0);
    for at in [FIRST, LAST] {
        self::leaves(target, table, "a short one", &short, at, dropped);
    }
}

/// A direct client's request in fragments: its reply passes.
fn requests(target: &Target, table: &mut Table<'_>, like: &Packet) {
    let request = Packet { from: target.new_client(like.to), ..like.clone() };
    for (at, counts) in [(FIRST, "direct_in"), (MIDDLE, "ingress_other"), (LAST, "ingress_other")] {
        let what = format!("{:?}: fragment {at:?} of a request", request.from);
        table.row(&what, &target.ingress, fragment(&request, at), &Fate::Passes, counts);
    }
    let reply = back(&request).bytes();
    table.row("its reply", &target.egress, reply, &Fate::Passes, "direct_out");
}

fn of_segments(target: &Target, table: &mut Table<'_>, server: SocketAddr) {
    let it = Connection::new(target, server);
    it.shakes_hands(table);
    let reply = it.reply(ACK | PSH, 1, 1, &[b'f'; 100]);
    for at in [FIRST, MIDDLE, LAST] {
        leaves(target, table, "of a mirrored connection", &reply, at, "reply_dropped_fragment");
    }
    it.ends(table);
    for at in [FIRST, LAST] {
        leaves(target, table, "of one that ended", &reply, at, "reply_dropped_fragment");
    }
    let real = Connection::new(target, server).reply(ACK | PSH, 1, 1, &[b'f'; 100]);
    for (at, counts) in [(FIRST, "direct_out"), (MIDDLE, "egress_other"), (LAST, "egress_other")] {
        leaves(target, table, "of a real client's", &real, at, counts);
    }
}
