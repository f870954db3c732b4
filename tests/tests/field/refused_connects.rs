//! Connects that production refuses, or never sees: none of them may be a connection of the new memcached.

use std::{
    net::{SocketAddr, TcpStream},
    os::fd::{AsRawFd as _, OwnedFd},
};

use mirror_tests::{
    Family,
    craft::{Packet, SYN, Segment},
    firewall,
    mirror::{Mirror, PORT},
    wait,
    wire::Wire,
};
use nix::{
    errno::Errno,
    sys::{
        signal::Signal,
        socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, connect, socket},
    },
};
use serde_json::Value;

const CONNECTS: usize = 300;
const KEYS: usize = 20;
const CLOSED: u16 = 11_299;

/// How many packets the old host has seen.
fn seen(mirror: &Mirror) -> u64 {
    mirror.old.counters("source")["seen"]
}

/// Waits until the old host saw a packet for each connect.
fn wait_for_connects(mirror: &Mirror, before: u64) {
    wait::until("the old host to see all connects", || {
        (seen(mirror) >= before + CONNECTS as u64).then_some(())
    });
}

/// Panics unless the new memcached has as many connections as the old one.
fn assert_no_more_than_production(mirror: &Mirror, production: u64) {
    let clients = mirror.new_server.clients(&mirror.new);
    assert!(
        clients <= production,
        "{clients} connections of the new memcached, {production} of production"
    );
}

/// How many connections the new host's mirror knows.
fn flows(mirror: &Mirror) -> u64 {
    let text = mirror.new.agent_ok("stats --json");
    let document: Value = serde_json::from_str(&text).expect("stats --json prints JSON");
    document["attachments"][0]["connections"]["total"].as_u64().expect("a number")
}

#[test]
fn a_memcached_that_is_down() {
    let mut mirror = Mirror::running();
    let old = SocketAddr::new(mirror.old.v4(), PORT);
    mirror.connect().set("before", b"1");
    mirror.old_server.signal(Signal::SIGKILL);
    // Not by a connect, which could come just before.
    let filter = format!("sport = :{PORT}");
    let listeners = || mirror.old.output("ss", &["-Hltn", &filter]);
    wait::until("the old memcached to be gone", || listeners().is_empty().then_some(()));
    mirror.client.run(|| {
        for _ in 0..CONNECTS {
            assert!(TcpStream::connect(old).is_err(), "nobody listens");
        }
    });
    let (source, _) = mirror.settled();
    assert_no_more_than_production(&mirror, 0);
    assert!(source["skipped_no_socket"] >= CONNECTS as u64, "{source:?}");
    // Another one takes its place, and is mirrored.
    mirror.restart_old(&[]);
    for key in 0..KEYS {
        mirror.connect().set(&format!("later{key}"), b"1");
    }
    mirror.settled();
    mirror.assert_copied((0..KEYS).map(|key| format!("later{key}")));
}

/// Nothing ever listened there, and a map is for it.
#[test]
fn a_port_at_which_nobody_listens() {
    let mirror = Mirror::running();
    let map = |family: Family| match family {
        Family::V4 => format!("--map {CLOSED}={}:{PORT}", mirror.new.v4()),
        Family::V6 => format!("--map {CLOSED}=[{}]:{PORT}", mirror.new.v6()),
    };
    mirror.old.agent_ok(&format!("map add eth0 {}", Family::BOTH.map(map).join(" ")));
    for family in Family::BOTH {
        let closed = SocketAddr::new(mirror.old.address(family), CLOSED);
        mirror.client.run(|| {
            for _ in 0..KEYS {
                assert!(TcpStream::connect(closed).is_err(), "nobody listens");
            }
        });
    }
    let (source, target) = mirror.settled();
    assert_no_more_than_production(&mirror, 0);
    assert!(source["skipped_no_socket"] >= 2 * KEYS as u64, "{source:?}");
    assert_eq!(target["arrived"], 0, "{target:?}");
}

#[test]
fn a_client_that_the_old_host_does_not_let_in() {
    let mirror = Mirror::running();
    let mut client = mirror.connect();
    client.set("before", b"1");
    // So that the production connection is there on both, and nothing else is.
    mirror.settled();
    let before = seen(&mirror);
    assert_no_more_than_production(&mirror, 1);
    firewall::drop_from(&mirror.old, mirror.client.v4());
    let old = SockaddrStorage::from(SocketAddr::new(mirror.old.v4(), PORT));
    let sockets: Vec<OwnedFd> = mirror.client.run(|| {
        let begin = |_| {
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None)
                .expect("a socket can be made");
            assert_eq!(connect(socket.as_raw_fd(), &old), Err(Errno::EINPROGRESS));
            socket
        };
        (0..CONNECTS).map(begin).collect()
    });
    wait_for_connects(&mirror, before);
    // Before they ask again.
    drop(sockets);
    mirror.settled();
    assert_eq!(mirror.old_server.clients(&mirror.old), 1, "production let nobody in");
    assert_no_more_than_production(&mirror, 1);
    assert_eq!(flows(&mirror), 1, "flows of the mirror");
}

#[test]
fn syns_of_nobody() {
    let mirror = Mirror::running();
    let mac = mirror.old.mac_bytes();
    let wire = Wire::at(&mirror.client, "eth0", mirror.client.mac_bytes());
    // Whose next hop answers, on both hosts.
    for host in [&mirror.old, &mirror.new] {
        let by = mirror.client.v4().to_string();
        host.ip(&["route", "add", "198.51.100.0/24", "via", &by]);
    }
    let before = seen(&mirror);
    for port in 20_000..20_000 + CONNECTS as u16 {
        let nobody = SocketAddr::from(([198, 51, 100, 1], port));
        let syn = Segment { seq: 1000, flags: SYN, window: 65535, ..Segment::default() };
        let mut frame = Packet::tcp(nobody, SocketAddr::new(mirror.old.v4(), PORT), syn).bytes();
        frame[..6].copy_from_slice(&mac);
        wire.send(&frame);
    }
    wait_for_connects(&mirror, before);
    mirror.settled();
    assert_eq!(mirror.old_server.clients(&mirror.old), 0, "production has none of them");
    assert_no_more_than_production(&mirror, 0);
    assert_eq!(flows(&mirror), 0, "flows of the mirror");
}
