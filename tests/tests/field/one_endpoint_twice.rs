//! A client uses the same address and port for two connections, as TCP lets it where the servers' ends differ; one
//! target has both.
//!
//! ```text
//!            ┌──▶ old:11211 ───┐            two old hosts
//!   client:P ┤                 ├──▶ new:11211
//!            └──▶ other:11211 ─┘            or two ports of old, or two addresses of it
//! ```

use std::net::IpAddr;

use mirror_tests::{
    Host,
    client::Connection,
    expected::to_fail,
    memcached::{self, Memcached},
    mirror::{Mirror, PORT},
    second,
};

const CLIENT_PORT: u16 = 30_001;
const KEYS: usize = 20;
const REASON: &str =
    "a flow is named by the client's end and the new host's, not by what production's was";
const MISSING: &str = "keys are missing on the new server";

fn connect(mirror: &Mirror, port: u16, server: IpAddr, server_port: u16) -> Connection {
    Connection::open_from(&mirror.client, port, server, server_port)
}

/// Two clients take turns to set keys of their own.
fn set(mirror: &Mirror, sources: &[&Host], [mut a, mut b]: [Connection; 2]) {
    for key in 0..KEYS {
        a.set(&format!("a{key}"), b"value");
        b.set(&format!("b{key}"), b"value");
    }
    mirror.new.settled("target");
    let copied: u64 = sources.iter().map(|source| source.copied()).sum();
    assert!(copied >= 2 * KEYS as u64, "all was copied");
}

/// Panics unless the target has all keys of both.
fn assert_both(mirror: &Mirror, second: (&Memcached, &Host)) {
    let (first, new) = ((&mirror.old_server, &mirror.old), (&mirror.new_server, &mirror.new));
    let missing = |name: &str, old| {
        let keys = (0..KEYS).map(|key| format!("{name}{key}"));
        memcached::assert_copied(old, new, keys);
    };
    missing("a", first);
    missing("b", second);
}

/// Two old hosts with one target; the second client has this port.
fn two_hosts(port: u16) -> (Mirror, Host, Memcached) {
    let mut mirror = Mirror::running();
    let other = mirror.lab.host("other");
    let server = Memcached::start(&other, PORT);
    other.agent_ok(&format!("attach eth0 --map {PORT}={}:{PORT}", mirror.new.v4()));
    let a = connect(&mirror, CLIENT_PORT, mirror.old.v4(), PORT);
    let b = connect(&mirror, port, other.v4(), PORT);
    set(&mirror, &[&mirror.old, &other], [a, b]);
    (mirror, other, server)
}

#[test]
fn two_old_hosts() {
    let (mirror, other, server) = two_hosts(CLIENT_PORT);
    to_fail(REASON, MISSING, || assert_both(&mirror, (&server, &other)));
}

#[test]
fn two_old_hosts_and_two_ports_of_the_client() {
    let (mirror, other, server) = two_hosts(CLIENT_PORT + 1);
    assert_both(&mirror, (&server, &other));
}

#[test]
fn two_ports_of_an_old_host() {
    const SECOND: u16 = PORT + 1;
    let mirror = Mirror::idle();
    let (old, new) = (mirror.old.v4(), mirror.new.v4());
    let server = Memcached::start(&mirror.old, SECOND);
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT}"));
    let maps = format!("--map {PORT}={new}:{PORT} --map {SECOND}={new}:{PORT}");
    mirror.old.agent_ok(&format!("attach eth0 {maps}"));
    let ports = [PORT, SECOND];
    set(&mirror, &[&mirror.old], ports.map(|port| connect(&mirror, CLIENT_PORT, old, port)));
    to_fail(REASON, MISSING, || assert_both(&mirror, (&server, &mirror.old)));
}

#[test]
fn two_addresses_of_an_old_host() {
    let mirror = Mirror::running();
    let second = second::join(&mirror.old);
    // By a route, so that the client's own address is the same for both.
    mirror.client.ip(&["route", "add", &second.to_string(), "dev", "eth0"]);
    let addresses = [mirror.old.v4(), second];
    set(&mirror, &[&mirror.old], addresses.map(|old| connect(&mirror, CLIENT_PORT, old, PORT)));
    to_fail(REASON, MISSING, || assert_both(&mirror, (&mirror.old_server, &mirror.old)));
}
