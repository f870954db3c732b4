//! A client uses the same address and port for two connections, as TCP lets it where the servers' ends differ; one
//! target has both.
//!
//! ```text
//!            ┌──▶ old:11211 ───┐            two old hosts
//!   client:P ┤                 ├──▶ new:11211
//!            └──▶ other:11211 ─┘            or two ports of old, or two addresses of it
//! ```

use std::net::{IpAddr, SocketAddr};

use mirror_tests::{
    Family, Host,
    client::Connection,
    expected::to_fail,
    memcached::{self, Memcached},
    mirror::{Mirror, PORT},
    second,
};

/// Several, as it depends on the sequence numbers that two connections begin with how much is lost.
const CLIENT_PORTS: [u16; 3] = [30_001, 30_003, 30_005];
const KEYS: usize = 20;
const REASON: &str =
    "a flow is named by the client's end and the new host's, not by what production's was";
const MISSING: &str = "keys are missing on the new server";

fn connect(mirror: &Mirror, port: u16, server: IpAddr, server_port: u16) -> Connection {
    Connection::open_from(&mirror.client, port, server, server_port)
}

/// Two clients of each port take turns to set keys of their own; `connect` makes their connections.
fn set(
    mirror: &Mirror,
    sources: &[&Host],
    family: Family,
    connect: impl Fn(u16) -> [Connection; 2],
) {
    let copied = || sources.iter().map(|source| source.copied()).sum::<u64>();
    let before = copied();
    let mut pairs = CLIENT_PORTS.map(|port| (port, connect(port)));
    for n in 0..KEYS {
        for (port, [a, b]) in &mut pairs {
            a.set(&key("a", family, *port, n), b"value");
            b.set(&key("b", family, *port, n), b"value");
        }
    }
    mirror.new.settled("target");
    assert!(copied() >= before + (2 * pairs.len() * KEYS) as u64, "all was copied");
}

fn key(client: &str, family: Family, port: u16, n: usize) -> String {
    format!("{client}-{family:?}-{port}-{n}")
}

/// Panics unless the target has all keys of both.
fn assert_both(mirror: &Mirror, second: (&Memcached, &Host), family: Family) {
    let (first, new) = ((&mirror.old_server, &mirror.old), (&mirror.new_server, &mirror.new));
    let copied = |client: &str, old| {
        let of_port = |port| (0..KEYS).map(move |n| key(client, family, port, n));
        memcached::assert_copied(old, new, CLIENT_PORTS.into_iter().flat_map(of_port));
    };
    copied("a", first);
    copied("b", second);
}

/// Maps from these ports to the new host's usual one.
fn maps(mirror: &Mirror, ports: &[u16]) -> String {
    let targets = Family::BOTH.map(|family| SocketAddr::new(mirror.new.address(family), PORT));
    let maps = ports.iter().flat_map(|port| targets.map(|target| format!("--map {port}={target}")));
    maps.collect::<Vec<_>>().join(" ")
}

/// Two old hosts with one target; the second client's port is larger by `apart`.
fn two_hosts(apart: u16) -> (Mirror, Host, Memcached) {
    let mut mirror = Mirror::running();
    let other = mirror.lab.host("other");
    let server = Memcached::start(&other, PORT);
    other.agent_ok(&format!("attach eth0 {}", maps(&mirror, &[PORT])));
    for family in Family::BOTH {
        let [a, b] = [&mirror.old, &other].map(|host| host.address(family));
        set(&mirror, &[&mirror.old, &other], family, |port| {
            [connect(&mirror, port, a, PORT), connect(&mirror, port + apart, b, PORT)]
        });
    }
    (mirror, other, server)
}

#[test]
fn two_old_hosts() {
    let (mirror, other, server) = two_hosts(0);
    for family in Family::BOTH {
        to_fail(REASON, MISSING, || assert_both(&mirror, (&server, &other), family));
    }
}

#[test]
fn two_old_hosts_and_two_ports_of_the_client() {
    let (mirror, other, server) = two_hosts(1);
    for family in Family::BOTH {
        assert_both(&mirror, (&server, &other), family);
    }
}

#[test]
fn two_ports_of_an_old_host() {
    const SECOND: u16 = PORT + 1;
    let mirror = Mirror::idle();
    let server = Memcached::start(&mirror.old, SECOND);
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT}"));
    let ports = [PORT, SECOND];
    mirror.old.agent_ok(&format!("attach eth0 {}", maps(&mirror, &ports)));
    for family in Family::BOTH {
        let old = mirror.old.address(family);
        set(&mirror, &[&mirror.old], family, |port| {
            ports.map(|server| connect(&mirror, port, old, server))
        });
        to_fail(REASON, MISSING, || assert_both(&mirror, (&server, &mirror.old), family));
    }
}

#[test]
fn two_addresses_of_an_old_host() {
    let mirror = Mirror::running();
    second::join(&mirror.old);
    for family in Family::BOTH {
        let second = second::address_by(&mirror.old, family);
        // By a route, so that the client's own address is the same for both.
        mirror.client.ip(&["route", "add", &second.to_string(), "dev", "eth0"]);
        let addresses = [mirror.old.address(family), second];
        set(&mirror, &[&mirror.old], family, |port| {
            addresses.map(|old| connect(&mirror, port, old, PORT))
        });
        let old = (&mirror.old_server, &mirror.old);
        to_fail(REASON, MISSING, || assert_both(&mirror, old, family));
    }
}
