//! Where what the new host answers would leave by a way that the mirror does not see, no connection is opened: by a tunnel,
//! and by a card that came after `drop`.

use mirror_tests::{
    Family,
    capture::Capture,
    client::Connection,
    mirror::{Mirror, PORT},
    second,
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

#[test]
fn by_a_tunnel() {
    let mirror = Mirror::idle();
    mirror.new.ip(&["tuntap", "add", "dev", "tunnel", "mode", "tun"]);
    mirror.new.ip(&["link", "set", "tunnel", "up"]);
    route_by(&mirror, "tunnel");
    mirror.start();
    assert_not_opened(&mirror, "tunnel");
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
