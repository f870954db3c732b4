//! What the new host answers leaves by no way: by a tunnel it ends like anywhere else; by a card, or a tunnel, that came after
//! `drop`, no connection is opened, and those that are open are given up, as routes change.

use mirror_tests::{
    Family,
    capture::Capture,
    client::{Connection, frame, udp},
    mirror::{Mirror, PORT},
    second,
    tunnel::Tunnel,
    wait,
};

const KEYS: usize = 20;

fn key(name: &str, family: Family, n: usize) -> String {
    format!("{name}-{family:?}-{n}")
}

/// Clients of both families set keys of this name, a connection each; returns the target's counters.
fn set(mirror: &Mirror, name: &str) -> std::collections::BTreeMap<String, u64> {
    for family in Family::BOTH {
        for n in 0..KEYS {
            let mut client = Connection::open(&mirror.client, mirror.old.address(family), PORT);
            client.set(&key(name, family, n), b"value");
        }
    }
    mirror.settled().1.into_iter().collect()
}

/// What the new host's TCP sends to clients.
fn capture(mirror: &Mirror) -> Capture {
    let replies = format!("tcp and (src host {} or src host {})", mirror.new.v4(), mirror.new.v6());
    Capture::start(mirror.lab.switch(), "client", &replies)
}

/// Nothing of these keys arrived, which is known, and nobody has heard of it.
fn assert_not_opened(mirror: &Mirror, name: &str) {
    let at_client = capture(mirror);
    let target = set(mirror, name);
    assert!(target["discarded_no_way_back"] >= 2 * KEYS as u64, "{target:?}");
    assert_eq!(target["reply_leaked"], 0, "{target:?}");
    assert_eq!(mirror.new_server.clients(&mirror.new), 0, "connections of the new memcached");
    assert_eq!(at_client.stop(), Vec::<String>::new(), "nothing reaches the client");
    let check = mirror.new.agent("status --check");
    let said = String::from_utf8_lossy(&check.stdout);
    assert!(!check.status.success() && said.contains("no way back"), "{said}");
}

/// The way to the client is by this interface.
fn route_by(mirror: &Mirror, interface: &str) {
    for family in Family::BOTH {
        let client = mirror.client.address(family).to_string();
        mirror.new.ip(&["route", "replace", &client, "dev", interface]);
    }
}

/// Clients that stay set a key each.
fn set_again(clients: &mut [Connection], name: &str) {
    for (n, client) in clients.iter_mut().enumerate() {
        client.set(&format!("{name}-{n}"), b"value");
    }
}

fn clients(mirror: &Mirror) -> Vec<Connection> {
    let of = |family| Connection::open(&mirror.client, mirror.old.address(family), PORT);
    (0..KEYS).flat_map(|_| Family::BOTH.map(of)).collect()
}

fn assert_nothing_left(tunnel: &mut Tunnel) {
    let left = tunnel.left();
    assert!(left.is_empty(), "{} packets left by the tunnel: {left:x?}", left.len());
}

/// Large replies are acknowledged as by any way.
#[test]
fn by_a_tunnel() {
    for hook in ["", "--hook clsact"] {
        let mirror = Mirror::idle();
        let mut tunnel = Tunnel::open(&mirror.new, "tunnel");
        mirror.new.agent_ok(&format!("drop eth0 --port {PORT} {hook}"));
        mirror.attach("");
        let mut clients = clients(&mirror);
        set_again(&mut clients, "before");
        mirror.settled();
        route_by(&mirror, "tunnel");
        set_again(&mut clients, "moved");
        clients[0].set("large", &[b'x'; 300_000]);
        for client in &mut clients {
            client.get("large");
        }
        let target = set(&mirror, "opened");
        for family in Family::BOTH {
            mirror.assert_copied((0..KEYS).map(|n| key("opened", family, n)));
        }
        mirror.assert_copied((0..2 * KEYS).map(|n| format!("moved-{n}")));
        assert_eq!((target["reply_leaked"], target["desynced"]), (0, 0), "{target:?}");
        assert_nothing_left(&mut tunnel);
        mirror.new.agent_ok("detach eth0");
        assert_nothing_left(&mut tunnel);
    }
}

/// The old host's raw copies of datagrams and segments, in whatever is open by then.
#[test]
fn by_a_tunnel_that_came_later() {
    let mirror = Mirror::running();
    let mut clients = clients(&mirror);
    set_again(&mut clients, "before");
    let datagrams = udp(&mirror.client, mirror.old.v4(), PORT);
    let ask = |number: u16| {
        datagrams.send(&frame(number, 1, b"get before-0\r\n")).expect("sending");
        datagrams.recv(&mut [0; 1000]).expect("a reply");
    };
    ask(1);
    let (_, before) = mirror.settled();
    assert_eq!(before["discarded_no_way_back"], 0, "{before:?}");
    assert!(before["reply_dropped_udp"] > 0, "{before:?}");
    let mut tunnel = Tunnel::open(&mirror.new, "tunnel");
    route_by(&mirror, "tunnel");
    set_again(&mut clients, "moved");
    ask(2);
    set_again(&mut clients, "again");
    ask(3);
    let target = mirror.settled().1;
    assert!(target["discarded_no_way_back"] >= 2 * KEYS as u64 + 2, "{target:?}");
    wait::until("no connection to be left", || {
        (mirror.new_server.clients(&mirror.new) == 0).then_some(())
    });
    assert_nothing_left(&mut tunnel);
    assert_not_opened(&mirror, "later");
    assert_nothing_left(&mut tunnel);
}

/// By a card that came later, to open connections.
#[test]
fn of_open_connections_by_a_card_that_came_later() {
    let mut mirror = Mirror::running();
    let mut clients = clients(&mirror);
    set_again(&mut clients, "before");
    mirror.settled();
    second::card(&mut mirror.lab, &mirror.new, "eth1");
    let at_client = capture(&mirror);
    route_by(&mirror, "eth1");
    set_again(&mut clients, "moved");
    let target = mirror.settled().1;
    assert!(target["discarded_no_way_back"] >= 2 * KEYS as u64, "{target:?}");
    assert_eq!(at_client.stop(), Vec::<String>::new(), "nothing reaches the client");
    assert_eq!(target["reply_leaked"], 0, "{target:?}");
}

#[test]
fn by_a_card_that_came_later() {
    let mut mirror = Mirror::running();
    second::card(&mut mirror.lab, &mirror.new, "eth1");
    route_by(&mirror, "eth1");
    assert_not_opened(&mirror, "later");
    // Then it is told.
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT}"));
    let at_client = capture(&mirror);
    set(&mirror, "told");
    for family in Family::BOTH {
        mirror.assert_copied((0..KEYS).map(|n| key("told", family, n)));
    }
    assert_eq!(at_client.stop(), Vec::<String>::new(), "nothing reaches the client");
    mirror.new.agent_ok("detach eth0");
}
