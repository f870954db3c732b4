//! A new host with two cards, whose replies leave by another one than copies arrive at: none may reach a client.
//!
//! ```text
//!   client ─────┬──◀─── eth0 ┐
//!   old ────────┤            │ new        the clients' network is at eth0, the target's address at eth1
//!               └──▶─── eth1 ┘
//! ```

use mirror_tests::{
    capture::Capture,
    client::Connection,
    expected::to_fail,
    mirror::{Mirror, PORT},
    second,
};

const CLIENTS: usize = 20;
const REASON: &str = "replies are dropped at the card that copies arrive at, and at no other";

/// Some clients set a key each; returns what reached them from `target`.
fn leaked(mirror: &Mirror, target: &str) -> Vec<String> {
    mirror.old.agent_ok(&format!("attach eth0 --map {PORT}={target}:{PORT}"));
    let filter = format!("src host {target} and not arp");
    let at_client = Capture::start(mirror.lab.switch(), "client", &filter);
    let mut clients: Vec<Connection> = (0..CLIENTS).map(|_| mirror.connect()).collect();
    for (i, client) in clients.iter_mut().enumerate() {
        client.set(&format!("key{i}"), b"value");
    }
    let (source, target) = mirror.settled();
    assert!(source["cloned"] >= 2 * CLIENTS as u64, "{source:?}");
    assert!(target["arrived"] >= 2 * CLIENTS as u64, "{target:?}");
    at_client.stop()
}

fn assert_none(leaked: &[String]) {
    let some = &leaked[..leaked.len().min(3)];
    assert!(leaked.is_empty(), "{} packets of the new host at the client: {some:?}", leaked.len());
}

#[test]
fn two_equal_routes_to_clients() {
    let mut mirror = Mirror::idle();
    second::card(&mut mirror.lab, &mirror.new, "eth1");
    // An address of the host, and of no card: its packets take either.
    let target = "10.79.0.1";
    mirror.new.ip(&["addr", "add", target, "dev", "lo"]);
    mirror.old.ip(&["route", "add", target, "via", &mirror.new.v4().to_string()]);
    let client = mirror.client.v4().to_string();
    let hops = ["nexthop", "dev", "eth0", "nexthop", "dev", "eth1"];
    mirror.new.ip(&[&["route", "add", &client][..], &hops].concat());
    // By ports, too, or one client's packets all take the same way.
    mirror.new.shell("echo 1 >/proc/sys/net/ipv4/fib_multipath_hash_policy");
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT}"));
    mirror.new.agent_ok(&format!("drop eth1 --port {PORT}"));
    let leaked = leaked(&mirror, target);
    to_fail(REASON, "packets of the new host at the client", || assert_none(&leaked));
}

#[test]
fn the_route_to_clients_is_by_the_other_card() {
    let mut mirror = Mirror::idle();
    let target = second::card(&mut mirror.lab, &mirror.new, "eth1").to_string();
    second::join(&mirror.old);
    mirror.new.agent_ok(&format!("drop eth1 --port {PORT}"));
    let leaked = leaked(&mirror, &target);
    to_fail(REASON, "packets of the new host at the client", || assert_none(&leaked));
}

#[test]
fn a_rule_keeps_replies_at_the_card_of_their_address() {
    let mut mirror = Mirror::idle();
    let target = second::card(&mut mirror.lab, &mirror.new, "eth1").to_string();
    second::join(&mirror.old);
    second::join(&mirror.client);
    mirror.new.ip(&["rule", "add", "from", &target, "lookup", "100"]);
    let client = second::address(&mirror.client).to_string();
    mirror.new.ip(&["route", "add", "default", "via", &client, "dev", "eth1", "table", "100"]);
    mirror.new.agent_ok(&format!("drop eth1 --port {PORT}"));
    let leaked = leaked(&mirror, &target);
    assert_none(&leaked);
    mirror.assert_copied((0..CLIENTS).map(|i| format!("key{i}")));
}
