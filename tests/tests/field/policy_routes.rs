//! Routes of the old host that depend on where a packet comes from, or on its mark: copies come from clients, as
//! forwarded packets do, and the marks that they carry within the host are nobody's.
//!
//! ```text
//!   old ── from old itself ──▶ eth0 ──▶ new
//!       ├─ from clients ─────▶ eth1 ──▶ new, or nobody
//!       └─ with a mark ──────▶ nobody
//! ```

use std::net::{IpAddr, SocketAddr};

use mirror_tests::{
    Family,
    agent::Counters,
    client::Connection,
    departures::{Departures, Seen},
    mirror::{Mirror, PORT},
    second,
};

const KEYS: usize = 20;
const CARDS: [&str; 2] = ["eth0", "eth1"];

/// The new host's address that more than one way leads to.
fn target(mirror: &Mirror, family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::from([10, 79, 0, mirror.new.number]),
        Family::V6 => IpAddr::from([0xfd79, 0, 0, 0, 0, 0, 0, u16::from(mirror.new.number)]),
    }
}

/// A mirror of which nothing is attached. The old host's own way to the target is eth0; table 100 says eth1, and table
/// 200 nobody.
fn two_ways() -> Mirror {
    let mut mirror = Mirror::idle();
    second::card(&mut mirror.lab, &mirror.old, "eth1");
    second::join(&mirror.new);
    for family in Family::BOTH {
        let (old, new) = (&mirror.old, &mirror.new);
        let own = target(&mirror, family).to_string();
        new.ip(&["addr", "add", &own, "dev", "lo"]);
        let near = new.address(family).to_string();
        let far = second::address_by(new, family).to_string();
        old.ip(&["route", "add", &own, "via", &near, "dev", "eth0"]);
        old.ip(&["route", "add", &own, "via", &far, "dev", "eth1", "table", "100"]);
        old.ip(&["route", "add", "blackhole", &own, "table", "200"]);
    }
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT}"));
    mirror
}

fn attach(mirror: &Mirror) {
    let [v4, v6] = Family::BOTH.map(|family| target(mirror, family));
    let maps = format!("--map {PORT}={v4}:{PORT} --map {PORT}=[{v6}]:{PORT}");
    mirror.old.agent_ok(&format!("attach eth0 {maps}"));
}

/// Adds a rule of both protocols.
fn rule(mirror: &Mirror, condition: impl Fn(Family) -> String, table: &str) {
    for family in Family::BOTH {
        let protocol = if family == Family::V4 { "-4" } else { "-6" };
        mirror.old.shell(&format!("ip {protocol} rule add {} lookup {table}", condition(family)));
    }
}

fn key(family: Family, n: usize) -> String {
    format!("{family:?}-{n}")
}

/// Clients of both protocols set keys; returns what left by each card.
fn set(mirror: &Mirror) -> [Seen; 2] {
    let targets = Family::BOTH.map(|family| SocketAddr::new(target(mirror, family), PORT));
    let watch = |card| Departures::watch(&mirror.lab, &mirror.old, &[card], targets.to_vec());
    let departures = CARDS.map(watch);
    for family in Family::BOTH {
        let mut client = Connection::open(&mirror.client, mirror.old.address(family), PORT);
        (0..KEYS).for_each(|n| client.set(&key(family, n), b"value"));
    }
    mirror.old.settled("source");
    mirror.new.settled("target");
    let source = mirror.old.counters("source");
    assert!(source["seen"] >= 2 * KEYS as u64, "production comes by eth0: {source:?}");
    let seen = departures.map(Departures::stop);
    seen.iter().for_each(Seen::assert_none_wrong);
    seen
}

fn assert_all_copied(mirror: &Mirror) {
    mirror.assert_copied(
        Family::BOTH.into_iter().flat_map(|family| (0..KEYS).map(move |n| key(family, n))),
    );
}

#[test]
fn a_rule_for_the_clients_addresses() {
    let mirror = two_ways();
    rule(&mirror, |family| format!("from {}", mirror.client.address(family)), "100");
    attach(&mirror);
    let [eth0, eth1] = set(&mirror);
    assert_all_copied(&mirror);
    assert_eq!(eth0.copied(), 0, "all goes by eth1: {eth0:?}, {eth1:?}");
}

/// While copies are made.
#[test]
fn a_rule_that_comes_later() {
    let mirror = two_ways();
    attach(&mirror);
    let [_, eth1] = set(&mirror);
    assert_all_copied(&mirror);
    assert_eq!(eth1.copied(), 0, "all goes by eth0: {eth1:?}");
    rule(&mirror, |family| format!("from {}", mirror.client.address(family)), "100");
    let [eth0, _] = set(&mirror);
    assert_all_copied(&mirror);
    assert_eq!(eth0.copied(), 0, "all goes by eth1: {eth0:?}");
}

#[test]
fn a_rule_for_the_clients_addresses_that_leads_nowhere() {
    let mirror = two_ways();
    attach(&mirror);
    rule(&mirror, |family| format!("from {}", mirror.client.address(family)), "200");
    let seen = set(&mirror);
    assert!(seen.iter().all(|seen| seen.copied() == 0), "nothing leaves: {seen:?}");
    let maps = mirror.old.all_map_counters();
    let unsent = |map: &Counters| map["unsent"] == map["copies"] && map["unsent"] > 0;
    assert!(maps.values().all(unsent), "copies are not counted as unsent: {maps:?}");
    let status = mirror.old.agent_ok("status");
    assert!(status.contains("no route"), "status does not say why: {status}");
}

/// As of a VPN or a proxy: some bits of a mark, whatever they are within the mirror.
#[test]
fn rules_for_marks() {
    let mirror = two_ways();
    for (mark, mask) in [("0x3000", "0xf000"), ("0x1000", "0xf000"), ("0x2000", "0xf000")] {
        rule(&mirror, |_| format!("fwmark {mark}/{mask}"), "200");
    }
    rule(&mirror, |_| "fwmark 0x6d0000/0xff0000".to_owned(), "200");
    attach(&mirror);
    let [_, eth1] = set(&mirror);
    assert_all_copied(&mirror);
    assert_eq!(eth1.copied(), 0, "all goes by eth0: {eth1:?}");
}

#[test]
fn rules_that_matter_are_named_with_how_copies_take_them() {
    let mirror = Mirror::idle();
    let map = format!("--map {PORT}={}:{PORT}", mirror.new.v4());
    for (at, rule) in [
        &["from", "10.88.0.0/16", "lookup", "100"][..],
        &["fwmark", "0x3000/0xf000", "lookup", "101"],
        &["from", "10.88.0.0/16", "to", "192.0.2.0/24", "lookup", "102"],
        &["from", &mirror.old.v4().to_string(), "lookup", "103"],
    ]
    .into_iter()
    .enumerate()
    {
        let at = (at + 1).to_string();
        mirror.old.ip(&[&["rule", "add", "pref", &at], rule].concat());
    }
    mirror.old.assert_said(
        &map,
        &[
            "follow these routing rules by source: 1 (from 10.88.0.0/16 lookup 100)",
            "do not follow these routing rules: 2 (fwmark 0x3000/0xf000 lookup 101)",
        ],
    );
    let notes = mirror.old.notes().join("\n");
    assert!(!notes.contains("lookup 102") && !notes.contains("lookup 103"), "{notes}");
}
