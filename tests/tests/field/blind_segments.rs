//! Packets that production's firewall drops: what they ask for may not run on the new host either.
//!
//! ```text
//!   stranger ──▶ old eth0 ──▶ tc ingress ──✗ firewall      memcached
//!                                 └──▶ new?
//! ```

use std::net::SocketAddr;

use mirror_tests::{
    Family, Host,
    client::{Connection, frame, udp},
    craft::{ACK, FIN, PSH, Packet, SYN, Segment},
    expected::to_fail,
    firewall,
    mirror::{Mirror, PORT},
    wait,
    wire::Wire,
};

const KEY: &str = "evil";
const SET: &[u8] = b"set evil 0 0 5\r\nvalue\r\n";
/// Connections that begin with a cookie.
const KEYS: usize = 10;
const REASON: &str = "copies of datagrams are made before the old host's firewall";

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
    let before = mirror.old.settled("source")["skipped_no_socket"];
    send(&mirror, &stranger, &blind(&mirror, &stranger));
    assert_not_run(&mirror);
    let skipped = mirror.old.settled("source")["skipped_no_socket"] - before;
    assert_eq!(skipped, 1, "the segment with data");
}

/// And without its beginning, at any sequence number.
#[test]
fn data_alone() {
    let (mirror, stranger) = lab("");
    let [_, data] = blind(&mirror, &stranger);
    for flags in [ACK, ACK | PSH, PSH, ACK | PSH | FIN] {
        let mut data = data.clone();
        data.segment().flags = flags;
        send(&mirror, &stranger, &[data]);
    }
    assert_not_run(&mirror);
}

/// Production's memcached is gone, or another one in its place: what comes by the old connection is refused.
#[test]
fn on_a_connection_that_production_has_closed() {
    let mut mirror = Mirror::running();
    let mut clients = Family::BOTH
        .map(|family| Connection::open(&mirror.client, mirror.old.address(family), PORT));
    clients.iter_mut().for_each(|client| client.set("before", b"1"));
    mirror.settled();
    mirror.restart_old(&[]);
    let before = mirror.old.settled("source")["skipped_no_socket"];
    for client in &mut clients {
        client.send(SET);
    }
    wait::until("the old host to see both", || {
        (mirror.old.counters("source")["skipped_no_socket"] >= before + 2).then_some(())
    });
    mirror.settled();
    assert_eq!(
        mirror.old_server.inside(&mirror.old).get(KEY),
        None,
        "production has nothing of it"
    );
    assert_not_run(&mirror);
}

/// memcached closes what is idle; what comes by that connection finds a socket that takes nothing.
#[test]
fn on_a_connection_that_was_idle_too_long() {
    let mut mirror = Mirror::idle();
    mirror.restart_old(&["-o", "idle_timeout=1"]);
    mirror.start();
    let mut client = mirror.connect();
    client.set("before", b"1");
    mirror.settled();
    wait::until("production to close it", || {
        (mirror.old_server.clients(&mirror.old) == 0).then_some(())
    });
    let before = mirror.old.settled("source")["skipped_no_socket"];
    client.send(SET);
    wait::until("the old host to see it", || {
        (mirror.old.counters("source")["skipped_no_socket"] > before).then_some(())
    });
    mirror.settled();
    assert_not_run(&mirror);
}

/// The kernel has no socket of a connection that begins so, before its first data comes.
#[test]
fn syn_cookies() {
    let mirror = Mirror::running();
    mirror.old.shell("echo 2 >/proc/sys/net/ipv4/tcp_syncookies");
    for family in Family::BOTH {
        for n in 0..KEYS {
            let mut client = Connection::open(&mirror.client, mirror.old.address(family), PORT);
            client.set(&format!("{family:?}-{n}"), b"value");
            client.set(&format!("{family:?}-{n}-again"), b"value");
        }
    }
    mirror.settled();
    let sent = mirror.old.output("nstat", &["-asz", "TcpExtSyncookiesRecv"]);
    let number = sent.split_whitespace().skip_while(|word| *word != "TcpExtSyncookiesRecv").nth(1);
    assert_eq!(number, Some((2 * KEYS).to_string().as_str()), "all began with a cookie: {sent}");
    let names = |family: Family| {
        (0..KEYS).flat_map(move |n| [format!("{family:?}-{n}"), format!("{family:?}-{n}-again")])
    };
    mirror.assert_copied(Family::BOTH.into_iter().flat_map(names));
}

/// memcached has its UDP port closed, on the old host alone.
#[test]
fn datagrams_to_a_closed_port() {
    let mut mirror = Mirror::idle();
    mirror.restart_old(&["-U", "0"]);
    mirror.start();
    for family in Family::BOTH {
        let socket = udp(&mirror.client, mirror.old.address(family), PORT);
        // The second one hears that the first one was refused.
        let _ = [socket.send(&frame(1, 1, SET)), socket.send(&frame(1, 1, SET))];
    }
    wait::until("the old host to see them", || {
        (mirror.old.counters("source")["skipped_no_socket"] >= 2).then_some(())
    });
    mirror.settled();
    assert_not_run(&mirror);
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
