//! Packets that production's firewall drops: what they ask for may not run on the new host either.
//!
//! ```text
//!   stranger ──▶ old eth0 ──▶ tc ingress ──✗ firewall      memcached
//!                                 └──▶ new?
//! ```

use std::net::SocketAddr;

use mirror_tests::{
    Host,
    client::frame,
    craft::{ACK, PSH, Packet, SYN, Segment},
    expected::to_fail,
    firewall,
    mirror::{Mirror, PORT},
    wait,
    wire::Wire,
};

const KEY: &str = "evil";
const SET: &[u8] = b"set evil 0 0 5\r\nvalue\r\n";
const REASON: &str = "copies are made before the old host's firewall";

/// A mirror with these options of the source, and a host that the old one does not let in.
fn lab(options: &str) -> (Mirror, Host) {
    let mut mirror = Mirror::idle();
    mirror.start_with(options);
    let stranger = mirror.lab.host("stranger");
    mirror.connect().set("before", b"1");
    firewall::drop_from(&mirror.old, stranger.v4());
    (mirror, stranger)
}

/// The stranger sends packets; returns when both hosts are done with them.
fn send(mirror: &Mirror, stranger: &Host, packets: &[Packet]) {
    let seen = || mirror.old.counters("source")["seen"];
    let (mac, own) = (mirror.old.mac_bytes(), stranger.mac_bytes());
    let wire = Wire::at(stranger, "eth0", own);
    for packet in packets {
        let before = seen();
        let mut frame = packet.bytes();
        frame[..6].copy_from_slice(&mac);
        frame[6..12].copy_from_slice(&own);
        wire.send(&frame);
        // In order, whatever processor has them.
        wait::until("the old host to see a packet", || (seen() > before).then_some(()));
        mirror.settled();
    }
    let of_old = mirror.old_server.inside(&mirror.old).get(KEY);
    assert_eq!(of_old, None, "production has nothing of it");
}

fn assert_not_run(mirror: &Mirror) {
    let of_new = mirror.new_server.inside(&mirror.new).get(KEY);
    assert!(of_new.is_none(), "the new server has run what production dropped");
}

fn ends(mirror: &Mirror, stranger: &Host) -> (SocketAddr, SocketAddr) {
    (SocketAddr::new(stranger.v4(), 20_000), SocketAddr::new(mirror.old.v4(), PORT))
}

/// A connection's beginning and a request, all of it without an answer.
fn blind(mirror: &Mirror, stranger: &Host) -> [Packet; 2] {
    let (from, to) = ends(mirror, stranger);
    let segment = |seq, flags, payload: &[u8]| {
        let (window, payload) = (65535, payload.to_vec());
        Packet::tcp(from, to, Segment { seq, ack: 1, flags, window, payload, ..Segment::default() })
    };
    [segment(1000, SYN, b""), segment(1001, ACK | PSH, SET)]
}

fn datagram(mirror: &Mirror, stranger: &Host) -> Packet {
    let (from, to) = ends(mirror, stranger);
    Packet::udp(from, to, &frame(1, 1, SET))
}

#[test]
fn segments_of_no_connection() {
    let (mirror, stranger) = lab("");
    send(&mirror, &stranger, &blind(&mirror, &stranger));
    to_fail(REASON, "has run what production dropped", || assert_not_run(&mirror));
}

#[test]
fn datagrams() {
    let (mirror, stranger) = lab("");
    send(&mirror, &stranger, &[datagram(&mirror, &stranger)]);
    to_fail(REASON, "has run what production dropped", || assert_not_run(&mirror));
}

#[test]
fn packets_of_others_than_named_clients() {
    let (mirror, stranger) = lab("--client 10.77.0.1/32");
    assert_eq!(mirror.client.v4().to_string(), "10.77.0.1");
    send(&mirror, &stranger, &blind(&mirror, &stranger));
    send(&mirror, &stranger, &[datagram(&mirror, &stranger)]);
    assert_not_run(&mirror);
    mirror.assert_copied(["before"]);
}
