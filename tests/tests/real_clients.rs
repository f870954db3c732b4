//! The new server's own clients and monitoring: always served, with no list to keep.

use mirror_tests::{agent::lost, client::Connection, memcached::Memcached, mirror::Mirror};

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
    assert!(target["real_in"] >= 600 && target["real_out"] >= 600, "{target:?}");
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
    assert!(target["discarded_real_client"] >= 20, "{target:?}");
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
fn other_ports_of_the_new_host_are_left_alone() {
    let mirror = Mirror::running();
    let _other = Memcached::start(&mirror.new, 11300);
    let mut client = Connection::open(&mirror.client, mirror.new.v4(), 11300);
    client.set("other", b"1");
    let (_, target) = mirror.settled();
    assert_eq!((target["real_in"], target["real_out"]), (0, 0), "{target:?}");
    assert!(target["ingress_other"] > 0 && target["egress_other"] > 0, "{target:?}");
}
