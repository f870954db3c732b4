//! The new server's own clients and monitoring: always served, with no list to keep.

use mirror_tests::{
    Host,
    agent::lost,
    client::{Connection, frame, udp},
    memcached::Memcached,
    mirror::{Mirror, PORT},
};

#[test]
fn clients_of_the_new_server_are_served_while_it_is_mirrored_to() {
    let mut mirror = Mirror::running();
    let monitor = mirror.lab.host("monitor");
    let mut mirrored = mirror.connect();
    let mut from_monitor = Connection::open(&monitor, mirror.new.v4(), mirror.port());
    let mut from_client = Connection::open(&mirror.client, mirror.new.v4(), mirror.port());
    let mut over_v6 = Connection::open(&mirror.client, mirror.new.v6(), mirror.port());
    for i in 0..100 {
        mirrored.set(&format!("mirrored{i}"), b"1");
        for (name, client) in
            [("monitor", &mut from_monitor), ("client", &mut from_client), ("v6", &mut over_v6)]
        {
            client.set(&format!("{name}{i}"), b"direct");
            assert_eq!(client.get(&format!("{name}{i}")), Some(b"direct".to_vec()), "{name}");
        }
    }
    let (_, target) = mirror.settled();
    assert_eq!(lost(&target), 0, "{target:?}");
    assert!(target["direct_in"] >= 600 && target["direct_out"] >= 600, "{target:?}");
    mirror.assert_same((0..100).map(|i| format!("mirrored{i}")));
}

#[test]
fn a_real_client_may_use_the_very_address_and_port_of_a_mirrored_one() {
    const CLIENT_PORT: u16 = 41_000;
    let mirror = Mirror::running();
    let mut mirrored =
        Connection::open_from(&mirror.client, CLIENT_PORT, mirror.old.v4(), mirror.port());
    mirrored.set("mirrored", b"1");
    mirror.settled();
    mirrored.reset();
    mirror.settled();

    // Same client address and port, other server: to the new host it is the same 4-tuple.
    let mut real =
        Connection::open_from(&mirror.client, CLIENT_PORT, mirror.new.v4(), mirror.port());
    for i in 0..20 {
        real.set(&format!("real{i}"), b"direct");
    }
    // While it lives, copies with that 4-tuple must not reach it.
    let mut copied =
        Connection::open_from(&mirror.client, CLIENT_PORT, mirror.old.v4(), mirror.port());
    for i in 0..20 {
        copied.set(&format!("copied{i}"), b"to production only");
        real.set(&format!("real-again{i}"), b"direct");
    }
    let (_, target) = mirror.settled();
    assert!(target["discarded_direct_client"] >= 20, "{target:?}");
    let mut inside = mirror.new_server.inside(&mirror.new);
    assert_eq!(inside.get("real-again19"), Some(b"direct".to_vec()));
    assert_eq!(inside.get("copied19"), None);
}

#[test]
fn connections_from_before_drop_stay_real() {
    let mirror = Mirror::idle();
    let mut real = Connection::open(&mirror.client, mirror.new.v4(), mirror.port());
    real.set("before", b"1");
    mirror.start();
    let mut mirrored = mirror.connect();
    for i in 0..20 {
        mirrored.set(&format!("m{i}"), b"1");
        real.set(&format!("r{i}"), b"1");
    }
    mirror.settled();
    mirror.assert_same((0..20).map(|i| format!("m{i}")));
    assert!(real.get("r19").is_some(), "served to the end");
}

#[test]
fn copies_may_be_taken_from_some_hosts_only() {
    let mirror = Mirror::idle();
    let attach = format!("attach eth0 --map {PORT}={}:{PORT}", mirror.new.v4());
    let drop_from = |host: &Host| format!("drop eth0 --port {PORT} --source-mac {}", host.mac());
    let requests = |prefix: &str| {
        mirror.connect().set(prefix, b"1");
        let socket = udp(&mirror.client, mirror.old.v4(), PORT);
        let request = format!("set {prefix}-udp 0 0 1\r\n1\r\n");
        socket.send(&frame(1, 1, request.as_bytes())).expect("a datagram can be sent");
        socket.recv(&mut [0; 1500]).expect("production replies");
    };
    // From somebody else: nothing is taken.
    mirror.new.agent_ok(&drop_from(&mirror.client));
    mirror.old.agent_ok(&attach);
    requests("stranger");
    let (_, target) = mirror.settled();
    assert_eq!(target["discarded_source_mac"], target["arrived"], "{target:?}");
    assert_eq!(mirror.new_server.stat(&mirror.new, "curr_items"), 0);
    // From the old host alone, in place: a repeated `drop` adds.
    mirror.new.agent_ok("drop eth0 --any-source-mac");
    mirror.new.agent_ok(&drop_from(&mirror.old));
    let status = mirror.new.agent_ok("status");
    assert!(status.contains(&format!("only from {}", mirror.old.mac())), "{status}");
    assert!(!status.contains(&mirror.client.mac()), "{status}");
    requests("known");
    mirror.settled();
    mirror.assert_same(["known", "known-udp"]);
    assert_eq!(mirror.new_server.stat(&mirror.new, "curr_items"), 2);
}

#[test]
fn other_ports_of_the_new_host_are_left_alone() {
    let mirror = Mirror::running();
    let _other = Memcached::start(&mirror.new, 11300);
    let mut client = Connection::open(&mirror.client, mirror.new.v4(), 11300);
    client.set("other", b"1");
    let (_, target) = mirror.settled();
    assert_eq!((target["direct_in"], target["direct_out"]), (0, 0), "{target:?}");
    assert!(target["ingress_other"] > 0 && target["egress_other"] > 0, "{target:?}");
}
