//! The way to the new host changes while the mirror runs, as where a card fails or a routing daemon says so.
//!
//! ```text
//!   client ──── eth0 ┐
//!               eth1 │ old        10.78.0.0/24, where the target is, by eth1; later by eth2
//!               eth2 ┘
//! ```

use mirror_tests::{
    Family,
    client::Connection,
    expected::to_fail,
    mirror::{Mirror, PORT},
    second,
};

const KEYS: usize = 20;
const REASON: &str = "the way out is that of the time of attach";

/// A mirror of which nothing is attached, with three cards of the old host.
fn three_cards() -> Mirror {
    let mut mirror = Mirror::idle();
    second::join(&mirror.new);
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
    mirror
}

/// From now on, the old host reaches the target by this card; the other one lost its link.
fn go_by(mirror: &Mirror, card: &str) {
    for name in ["eth1", "eth2"] {
        mirror.old.ip(&["addr", "flush", "dev", name]);
        let (port, state) =
            (format!("{name}-{}", mirror.old.number), if name == card { "up" } else { "down" });
        mirror.lab.switch().ip(&["link", "set", "dev", &port, state]);
    }
    second::assign(&mirror.old, card);
    // As by a gratuitous ARP reply, the new host learns that the address moved.
    mirror.new.ip(&["neigh", "flush", "dev", "eth0"]);
    for family in Family::BOTH {
        let target = second::address_by(&mirror.new, family).to_string();
        let own = second::address_by(&mirror.old, family).to_string();
        mirror.old.ip(&["route", "replace", &target, "dev", card, "src", &own]);
        let target = second::address_by(&mirror.new, family);
        Connection::open(&mirror.old, target, PORT).set("reached", b"1");
    }
}

fn attach(mirror: &Mirror) {
    let [v4, v6] = Family::BOTH.map(|family| second::address_by(&mirror.new, family));
    let maps = format!("--map {PORT}={v4}:{PORT} --map {PORT}=[{v6}]:{PORT}");
    mirror.old.agent_ok(&format!("attach eth0 {maps}"));
}

/// New clients of both families set keys with this name.
fn set(mirror: &Mirror, name: &str) {
    let before = mirror.old.copied();
    for family in Family::BOTH {
        let mut client = Connection::open(&mirror.client, mirror.old.address(family), PORT);
        (0..KEYS).for_each(|n| client.set(&key(name, family, n), b"value"));
    }
    mirror.old.settled("source");
    mirror.new.settled("target");
    assert!(mirror.old.copied() >= before + 2 * KEYS as u64, "production comes by eth0");
}

fn key(name: &str, family: Family, n: usize) -> String {
    format!("{name}-{family:?}-{n}")
}

fn assert_copied(mirror: &Mirror, name: &str, family: Family) {
    mirror.assert_copied((0..KEYS).map(|n| key(name, family, n)));
}

/// What was set is missing, which is known.
fn assert_marked(mirror: &Mirror, name: &str) {
    for family in Family::BOTH {
        to_fail(REASON, "keys are missing on the new server", || {
            assert_copied(mirror, name, family);
        });
    }
}

#[test]
fn to_another_card() {
    let mirror = three_cards();
    go_by(&mirror, "eth1");
    attach(&mirror);
    set(&mirror, "before");
    Family::BOTH.into_iter().for_each(|family| assert_copied(&mirror, "before", family));
    go_by(&mirror, "eth2");
    set(&mirror, "after");
    assert_marked(&mirror, "after");
    attach(&mirror);
    set(&mirror, "again");
    Family::BOTH.into_iter().for_each(|family| assert_copied(&mirror, "again", family));
}

#[test]
fn from_nowhere_to_another_card() {
    let mirror = three_cards();
    attach(&mirror);
    go_by(&mirror, "eth1");
    set(&mirror, "after");
    assert_marked(&mirror, "after");
}
