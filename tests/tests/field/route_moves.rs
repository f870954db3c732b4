//! The way to the new host changes while the mirror runs, as where a card fails or a routing daemon says so.
//!
//! ```text
//!   client ──── eth0 ┐
//!               eth1 │ old        10.78.0.0/24, where the target is, by eth1; later by eth2
//!               eth2 ┘
//! ```

use std::{thread::sleep, time::Duration};

use mirror_tests::{
    Family,
    client::Connection,
    departures::Departures,
    mirror::{Mirror, PORT},
    second,
};

const KEYS: usize = 20;
/// When copies have to follow at the latest.
const SOON: Duration = Duration::from_secs(1);

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
    let seen = || mirror.old.counters("source")["seen"];
    let before = seen();
    for family in Family::BOTH {
        let mut client = Connection::open(&mirror.client, mirror.old.address(family), PORT);
        (0..KEYS).for_each(|n| client.set(&key(name, family, n), b"value"));
    }
    mirror.old.settled("source");
    mirror.new.settled("target");
    assert!(seen() >= before + 2 * KEYS as u64, "production comes by eth0");
}

fn key(name: &str, family: Family, n: usize) -> String {
    format!("{name}-{family:?}-{n}")
}

fn assert_copied(mirror: &Mirror, name: &str, family: Family) {
    mirror.assert_copied((0..KEYS).map(|n| key(name, family, n)));
}

fn assert_all_copied(mirror: &Mirror, name: &str) {
    Family::BOTH.into_iter().for_each(|family| assert_copied(mirror, name, family));
}

/// What each map could not send.
fn unsent(mirror: &Mirror) -> Vec<u64> {
    mirror.old.all_map_counters().values().map(|map| map["unsent"]).collect()
}

/// The keys that clients set since then are unsent copies of each map.
fn assert_unsent(mirror: &Mirror, before: &[u64]) {
    let maps = mirror.old.all_map_counters();
    let more = unsent(mirror);
    assert!(
        before.iter().zip(&more).all(|(before, more)| *more >= before + KEYS as u64),
        "copies are not counted as unsent: {maps:?}"
    );
}

fn assert_said(mirror: &Mirror) {
    let status = mirror.old.agent_ok("status");
    assert!(status.contains("no route"), "status does not say why: {status}");
}

#[test]
fn to_another_card_and_back() {
    let mirror = three_cards();
    let departures = Departures::of_old(&mirror, &["eth0", "eth1", "eth2"]);
    go_by(&mirror, "eth1");
    attach(&mirror);
    set(&mirror, "before");
    assert_all_copied(&mirror, "before");
    for (card, name) in [("eth2", "after"), ("eth1", "back")] {
        go_by(&mirror, card);
        sleep(SOON);
        set(&mirror, name);
        assert_all_copied(&mirror, name);
    }
    attach(&mirror);
    set(&mirror, "again");
    assert_all_copied(&mirror, "again");
    departures.stop().assert_none_wrong();
}

/// A connection that goes on is followed, too.
#[test]
fn while_a_connection_goes_on() {
    let mirror = three_cards();
    go_by(&mirror, "eth1");
    attach(&mirror);
    let mut clients = Family::BOTH
        .map(|family| Connection::open(&mirror.client, mirror.old.address(family), PORT));
    for (card, name) in [("eth1", "first"), ("eth2", "second"), ("eth1", "third")] {
        go_by(&mirror, card);
        sleep(SOON);
        for (client, family) in clients.iter_mut().zip(Family::BOTH) {
            (0..KEYS).for_each(|n| client.set(&key(name, family, n), b"value"));
        }
        mirror.old.settled("source");
        mirror.new.settled("target");
        assert_all_copied(&mirror, name);
    }
    assert_eq!(unsent(&mirror), [0, 0]);
}

#[test]
fn from_nowhere_to_another_card() {
    let mirror = three_cards();
    attach(&mirror);
    set(&mirror, "nowhere");
    assert_unsent(&mirror, &[0, 0]);
    assert_said(&mirror);
    let before = unsent(&mirror);
    go_by(&mirror, "eth1");
    sleep(SOON);
    set(&mirror, "after");
    assert_all_copied(&mirror, "after");
    assert_eq!(unsent(&mirror), before, "nothing more is unsent");
}

/// The route goes, and nothing takes its place.
#[test]
fn from_a_card_to_nowhere() {
    let mirror = three_cards();
    go_by(&mirror, "eth1");
    attach(&mirror);
    set(&mirror, "before");
    assert_all_copied(&mirror, "before");
    assert_eq!(unsent(&mirror), [0, 0]);
    let departures = Departures::of_old(&mirror, &["eth0", "eth1", "eth2"]);
    for kind in ["", "unreachable", "blackhole", "prohibit"] {
        for family in Family::BOTH {
            let target = second::address_by(&mirror.new, family).to_string();
            let arguments = ["route", "del", &target];
            mirror.old.ip(&arguments);
            let network = if family == Family::V4 { "10.78.0.0/24" } else { "fd78::/64" };
            let _ = mirror.old.command("ip").args(["route", "del", network]).output();
            if !kind.is_empty() {
                mirror.old.ip(&["route", "add", kind, &target]);
            } else {
                mirror.old.ip(&["route", "add", &target, "dev", "lo"]);
                mirror.old.ip(&["route", "del", &target]);
            }
        }
        sleep(SOON);
        let before = unsent(&mirror);
        set(&mirror, &format!("gone-{kind}"));
        assert_unsent(&mirror, &before);
        if kind.is_empty() {
            for family in Family::BOTH {
                let target = second::address_by(&mirror.new, family).to_string();
                mirror.old.ip(&["route", "add", "blackhole", &target]);
            }
        }
    }
    assert_said(&mirror);
    departures.stop().assert_none_wrong();
}
