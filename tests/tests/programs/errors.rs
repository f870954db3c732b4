//! ICMP errors, which quote what they are about: those about copies end here.

use std::net::SocketAddr;

use mirror_tests::craft::{ACK, Body, PSH, Packet};

use crate::{
    connection::Connection,
    place::{client, v4, v6},
    source::datagram,
    table::{Fate, Table},
    target::{OTHER, PORT, Target},
};

/// ICMPv4 types: destination unreachable, source quench, redirect, time exceeded, parameter problem
/// (RFC 792). ICMPv6: destination unreachable, packet too big, time exceeded, parameter problem
/// (RFC 4443).
const ERRORS: [(u8, &[u8]); 2] = [(1, &[3, 4, 5, 11, 12]), (58, &[1, 2, 3, 4])];
/// Echo request and reply.
const OTHERS: [(u8, &[u8]); 2] = [(1, &[8, 0]), (58, &[128, 129])];

pub(crate) fn rows(target: &Target, table: &mut Table<'_>) {
    for (number, server) in [v4(PORT), v6(PORT)].into_iter().enumerate() {
        let (protocol, kinds) = ERRORS[number];
        for kind in kinds {
            about_datagrams(target, table, server, (protocol, *kind));
            about_segments(target, table, server, (protocol, *kind));
        }
        let request = Packet::new(client(server), server, Body::Udp(datagram()));
        for kind in OTHERS[number].1 {
            row(target, table, "no error", &request, (protocol, *kind), 200, "egress_other");
        }
        let mut other = request;
        other.to.set_port(OTHER);
        row(target, table, "another port", &other, (protocol, kinds[0]), 200, "egress_other");
    }
}

/// An error of this kind about `packet` leaves, of which it quotes so many bytes.
fn row(
    target: &Target,
    table: &mut Table<'_>,
    what: &str,
    packet: &Packet,
    (protocol, kind): (u8, u8),
    quoted: usize,
    counts: &str,
) {
    let mut error = vec![kind, 0, 0, 0, 0, 0, 0, 0];
    let ip = &packet.bytes()[packet.l3()..];
    error.extend_from_slice(&ip[..quoted.min(ip.len())]);
    let error = Packet::new(packet.to, packet.from, Body::Other(protocol, error));
    let what = format!("{:?}: ICMP {kind} about {what}, {quoted} bytes", packet.from);
    let fate = if counts == "reply_dropped_icmp" { Fate::Diverted } else { Fate::Passes };
    table.row(&what, &target.egress, error.bytes(), &fate, counts);
}

fn about_datagrams(target: &Target, table: &mut Table<'_>, server: SocketAddr, kind: (u8, u8)) {
    let request = Packet::new(client(server), server, Body::Udp(datagram()));
    let request = Packet { from: target.new_client(server), ..request };
    let header = request.l4() - request.l3();
    for quoted in [200, header + 10] {
        row(target, table, "a copy", &request, kind, quoted, "reply_dropped_icmp");
    }
    for quoted in [0, header - 1, header + 3] {
        row(target, table, "what nobody can tell", &request, kind, quoted, "egress_other");
    }
    table.row("a request", &target.ingress, request.bytes(), &Fate::Passes, "direct_in");
    row(target, table, "a real client's request", &request, kind, 200, "direct_out");
}

fn about_segments(target: &Target, table: &mut Table<'_>, server: SocketAddr, kind: (u8, u8)) {
    let it = Connection::new(target, server);
    let request = it.sent(ACK | PSH, 1, b"get some_key\r\n");
    row(target, table, "a real client's segment", &request, kind, 200, "direct_out");
    it.shakes_hands(table);
    row(target, table, "a copy", &request, kind, 200, "reply_dropped_icmp");
    it.ends(table);
    row(target, table, "a copy of one that ended", &request, kind, 200, "reply_dropped_icmp");
}
