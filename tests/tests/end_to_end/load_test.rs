//! `--multiply`: each connection appears several times at the new host, and nobody's bytes are mixed.

use mirror_tests::{
    agent::{Counters, lost},
    client::{Connection, frame, set_request, udp},
    mirror::{Mirror, PORT},
    wait,
};

const CLIENTS: u64 = 20;

fn copies(mirror: &Mirror) -> Counters {
    mirror.old.map_counters(&format!("{PORT}={}:{PORT}", mirror.new.v4()))
}

#[test]
fn each_connection_appears_as_often_as_is_said() {
    for (options, shown) in [
        ("--multiply 3", "each connection 3 times"),
        (
            "--multiply 3 --multiply-from 198.18.0.0/15 --multiply-from fd00:5::/96",
            "further copies from fd00:5::/96",
        ),
    ] {
        let mut mirror = Mirror::idle();
        // There has to be a way out for replies, even if they end before: a next hop that answers.
        for (family, router) in [("-4", mirror.client.v4()), ("-6", mirror.client.v6())] {
            mirror.new.ip(&[family, "route", "add", "default", "via", &router.to_string()]);
        }
        mirror.start_with(options);
        mirror.redundancy = 3;
        assert!(mirror.old.agent_ok("status").contains(shown));
        let leaks = mirror.watch_leaks();
        let mut connections: Vec<Connection> = (0..CLIENTS)
            .map(|number| {
                let server = if number % 2 == 0 { mirror.old.v4() } else { mirror.old.v6() };
                Connection::open(&mirror.client, server, PORT)
            })
            .collect();
        for (number, connection) in connections.iter_mut().enumerate() {
            for request in 0..30 {
                let value = vec![b'v'; 1 << (request % 16)];
                connection.set(&format!("key-{number}-{request}"), &value);
                connection.get(&format!("key-{number}-{request}"));
            }
        }
        let datagrams = udp(&mirror.client, mirror.old.v4(), PORT);
        datagrams.send(&frame(1, 1, &set_request("datagram", b"1"))).expect("it can be sent");
        datagrams.recv(&mut [0; 100]).expect("production replies");

        let (_, target) = mirror.settled();
        assert_eq!((lost(&target), target["opened"]), (0, 3 * CLIENTS), "{target:?}");
        assert_eq!(copies(&mirror)["endpoint_conflict"], 0);
        assert_eq!(mirror.new_server.clients(&mirror.new), 3 * CLIENTS);
        for name in ["cmd_set", "cmd_get", "get_hits"] {
            let of_old = mirror.old_server.stat(&mirror.old, name);
            assert_eq!(mirror.new_server.stat(&mirror.new, name), 3 * of_old, "{name}");
        }

        // Fewer: those that go are told so. None: all of them.
        mirror.old.agent_ok("map set eth0 --multiply 2");
        let clients = |count| {
            wait::until("connections to end", || {
                (mirror.new_server.clients(&mirror.new) == count).then_some(())
            });
        };
        clients(2 * CLIENTS);
        connections[0].set("later", b"1");
        mirror.old.agent_ok("detach eth0");
        clients(0);
        mirror.assert_same((0..CLIENTS).map(|number| format!("key-{number}-29")));
        mirror.assert_same(["datagram", "later"]);
        leaks.assert_none();
        connections[0].set("after", b"1");
        mirror.new.settled("target");
    }
}

#[test]
fn ends_that_would_be_the_same_are_counted_and_not_merged() {
    const UPPER: u16 = 40_000;
    // Each is the other's copy.
    const LOWER: u16 = UPPER ^ 0x8000;
    let mirror = Mirror::idle();
    mirror.start_with("--multiply 2");
    let leaks = mirror.watch_leaks();
    let mut upper = Connection::open_from(&mirror.client, UPPER, mirror.old.v4(), PORT);
    for i in 0..20 {
        upper.set(&format!("alone-{i}"), b"1");
    }
    assert_eq!(copies(&mirror)["endpoint_conflict"], 0);
    let mut lower = Connection::open_from(&mirror.client, LOWER, mirror.old.v4(), PORT);
    for i in 0..20 {
        upper.set(&format!("upper-{i}"), &vec![b'u'; 100 + i]);
        lower.set(&format!("lower-{i}"), &vec![b'l'; 100 + i]);
    }
    mirror.old.settled("source");
    mirror.new.settled("target");
    assert!(copies(&mirror)["endpoint_conflict"] >= 40, "{:?}", copies(&mirror));
    // Both are there, once each, as production has them.
    mirror.assert_same((0..20).flat_map(|i| [format!("upper-{i}"), format!("lower-{i}")]));
    assert_eq!(mirror.new_server.clients(&mirror.new), 2);
    leaks.assert_none();
}
