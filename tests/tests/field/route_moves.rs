//! The way to the new host changes while the mirror runs, as where a card fails or a routing daemon says so.
//!
//! ```text
//!   client ──── eth0 ┐
//!               eth1 │ old        10.78.0.0/24, where the target is, by eth1; later by eth2
//!               eth2 ┘
//! ```

use std::net::IpAddr;

use mirror_tests::{
    client::Connection,
    expected::to_fail,
    mirror::{Mirror, PORT},
    second,
};

const KEYS: usize = 20;
const REASON: &str = "the way out is that of the time of attach";

/// A mirror of which nothing is attached, with three cards of the old host; returns the target's address.
fn three_cards() -> (Mirror, IpAddr) {
    let mut mirror = Mirror::idle();
    let target = second::join(&mirror.new);
    mirror.lab.second_interface(&mirror.old, "eth1");
    mirror.lab.second_interface(&mirror.old, "eth2");
    // No way leads from the old host's eth0 to the new host: the switch does not hand on between these two.
    for port in ["old", "new"] {
        mirror.lab.switch().ip(&[
            "link",
            "set",
            "dev",
            port,
            "type",
            "bridge_slave",
            "isolated",
            "on",
        ]);
    }
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT}"));
    (mirror, target)
}

/// From now on, the old host reaches the target by this card; the other one lost its link.
fn go_by(mirror: &Mirror, target: IpAddr, card: &str) {
    let (own, target_text) = (second::address(&mirror.old).to_string(), target.to_string());
    for name in ["eth1", "eth2"] {
        mirror.old.ip(&["addr", "flush", "dev", name]);
        let (port, state) =
            (format!("{name}-{}", mirror.old.number), if name == card { "up" } else { "down" });
        mirror.lab.switch().ip(&["link", "set", "dev", &port, state]);
    }
    mirror.old.ip(&["addr", "add", &own, "dev", card]);
    mirror.old.ip(&["route", "replace", &target_text, "dev", card, "src", &own]);
    // As by a gratuitous ARP reply, the new host learns that the address moved.
    mirror.new.ip(&["neigh", "flush", "dev", "eth0"]);
    Connection::open(&mirror.old, target, PORT).set("reached", b"1");
}

fn attach(mirror: &Mirror, target: IpAddr) {
    mirror.old.agent_ok(&format!("attach eth0 --map {PORT}={target}:{PORT}"));
}

/// A new client sets keys; returns them.
fn set(mirror: &Mirror, name: &str) -> Vec<String> {
    let before = mirror.old.copied();
    let mut client = mirror.connect();
    let keys: Vec<String> = (0..KEYS).map(|key| format!("{name}{key}")).collect();
    keys.iter().for_each(|key| client.set(key, b"value"));
    mirror.old.settled("source");
    mirror.new.settled("target");
    assert!(mirror.old.copied() >= before + KEYS as u64, "production comes by eth0");
    keys
}

#[test]
fn to_another_card() {
    let (mirror, target) = three_cards();
    go_by(&mirror, target, "eth1");
    attach(&mirror, target);
    mirror.assert_copied(set(&mirror, "before"));
    go_by(&mirror, target, "eth2");
    let keys = set(&mirror, "after");
    to_fail(REASON, "keys are missing on the new server", || mirror.assert_copied(&keys));
    attach(&mirror, target);
    mirror.assert_copied(set(&mirror, "again"));
}

#[test]
fn from_nowhere_to_another_card() {
    let (mirror, target) = three_cards();
    attach(&mirror, target);
    go_by(&mirror, target, "eth1");
    let keys = set(&mirror, "after");
    to_fail(REASON, "keys are missing on the new server", || mirror.assert_copied(&keys));
}
