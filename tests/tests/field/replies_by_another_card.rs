//! A new host with two cards, whose replies leave by another one than copies arrive at: none may reach a client.
//!
//! ```text
//!   client ─────┬──◀─── eth0 ┐
//!   old ────────┤            │ new        the clients' network is at eth0, the target's address at eth1
//!               └──▶─── eth1 ┘
//! ```

use std::net::{IpAddr, SocketAddr};

use mirror_tests::{
    Family,
    capture::Capture,
    client::Connection,
    ecmp,
    mirror::{Mirror, PORT},
    second,
};

const CLIENTS: usize = 20;

/// Some clients of each family set a key each; returns what reached them from `targets`.
fn leaked(mirror: &Mirror, targets: [IpAddr; 2]) -> Vec<String> {
    let maps = targets.map(|target| format!("--map {PORT}={}", SocketAddr::new(target, PORT)));
    mirror.old.agent_ok(&format!("attach eth0 {}", maps.join(" ")));
    let [v4, v6] = targets;
    // Not ARP, and not the neighbour discovery of IPv6.
    let filter = format!("tcp and (src host {v4} or src host {v6})");
    let at_client = Capture::start(mirror.lab.switch(), "client", &filter);
    let mut clients = Vec::new();
    for family in Family::BOTH {
        for i in 0..CLIENTS {
            let client = Connection::open(&mirror.client, mirror.old.address(family), PORT);
            clients.push((key(family, i), client));
        }
    }
    clients.iter_mut().for_each(|(key, client)| client.set(key, b"value"));
    let (source, target) = mirror.settled();
    let least = 2 * clients.len() as u64;
    assert!(source["mirrored"] >= least && target["arrived"] >= least, "{source:?}, {target:?}");
    at_client.stop()
}

fn key(family: Family, client: usize) -> String {
    format!("{family:?}-{client}")
}

fn assert_none(leaked: &[String]) {
    let some = &leaked[..leaked.len().min(3)];
    assert!(leaked.is_empty(), "{} packets of the new host at the client: {some:?}", leaked.len());
}

fn assert_copied(mirror: &Mirror, family: Family) {
    mirror.assert_copied((0..CLIENTS).map(|client| key(family, client)));
}

#[test]
fn two_equal_routes_to_clients() {
    let mut mirror = Mirror::idle();
    let targets = ecmp::before_client(&mut mirror);
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT}"));
    mirror.new.agent_ok(&format!("drop eth1 --port {PORT}"));
    let leaked = leaked(&mirror, targets);
    assert_none(&leaked);
    Family::BOTH.into_iter().for_each(|family| assert_copied(&mirror, family));
}

/// The target's addresses are at a card of its own, in a network of which the client is not.
fn with_a_second_card() -> (Mirror, [IpAddr; 2]) {
    let mut mirror = Mirror::idle();
    second::card(&mut mirror.lab, &mirror.new, "eth1");
    second::join(&mirror.old);
    mirror.new.agent_ok(&format!("drop eth1 --port {PORT}"));
    let targets = Family::BOTH.map(|family| second::address_by(&mirror.new, family));
    (mirror, targets)
}

#[test]
fn the_route_to_clients_is_by_the_other_card() {
    let (mirror, targets) = with_a_second_card();
    let leaked = leaked(&mirror, targets);
    assert_none(&leaked);
    Family::BOTH.into_iter().for_each(|family| assert_copied(&mirror, family));
}

#[test]
fn a_rule_keeps_replies_at_the_card_of_their_address() {
    let (mirror, targets) = with_a_second_card();
    second::join(&mirror.client);
    for (family, target) in Family::BOTH.into_iter().zip(targets) {
        let option = if family == Family::V4 { "-4" } else { "-6" };
        mirror.new.ip(&[option, "rule", "add", "from", &target.to_string(), "lookup", "100"]);
        let client = second::address_by(&mirror.client, family).to_string();
        mirror.new.ip(&["route", "add", "default", "via", &client, "dev", "eth1", "table", "100"]);
    }
    let leaked = leaked(&mirror, targets);
    assert_none(&leaked);
    Family::BOTH.into_iter().for_each(|family| assert_copied(&mirror, family));
}
