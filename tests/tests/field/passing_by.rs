//! An old host that is a router, too: what only passes by belongs to another memcached.
//!
//! ```text
//!   client ──▶ old ──▶ third        by old's routes: 11211 of another server
//!               └──▶ new            what is old's own: 11211 of this one
//! ```

use mirror_tests::{
    Family, Host,
    client::{Connection, frame, udp},
    memcached::Memcached,
    mirror::{Mirror, PORT},
};

const KEYS: usize = 20;

/// A mirror whose old host hands on what is for a third one, which has a memcached.
fn router(options: &str) -> (Mirror, Host, Memcached) {
    let mut mirror = Mirror::idle();
    let third = mirror.lab.host("third");
    let server = Memcached::start(&third, PORT);
    // A router that does not tell the client of the shorter way.
    for (line, value) in [
        ("ipv4/ip_forward", 1),
        ("ipv4/conf/all/send_redirects", 0),
        ("ipv4/conf/eth0/send_redirects", 0),
        ("ipv6/conf/all/forwarding", 1),
    ] {
        mirror.old.shell(&format!("echo {value} >/proc/sys/net/{line}"));
    }
    for family in Family::BOTH {
        let [third, old] = [&third, &mirror.old].map(|host| host.address(family).to_string());
        mirror.client.ip(&["route", "add", &third, "via", &old]);
    }
    mirror.client.shell("echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_redirects");
    mirror.start_with(options);
    (mirror, third, server)
}

fn key(name: &str, family: Family, n: usize) -> String {
    format!("{name}-{family:?}-{n}")
}

/// A client sets keys of this name, by TCP and, of others than the first half, by UDP.
fn set(mirror: &Mirror, host: &Host, name: &str) {
    for family in Family::BOTH {
        let mut client = Connection::open(&mirror.client, host.address(family), PORT);
        let socket = udp(&mirror.client, host.address(family), PORT);
        for n in 0..KEYS {
            let key = key(name, family, n);
            if n < KEYS / 2 {
                client.set(&key, b"value");
            } else {
                let request = format!("set {key} 0 0 5\r\nvalue\r\n");
                socket.send(&frame(1, 1, request.as_bytes())).expect("a datagram can be sent");
                socket.recv(&mut [0; 1500]).expect("its server answers");
            }
        }
    }
}

/// How many keys of this name the new server has.
fn on_the_new_server(mirror: &Mirror, name: &str) -> usize {
    let mut new = mirror.new_server.inside(&mirror.new);
    let keys = |family| (0..KEYS).map(move |n| key(name, family, n));
    Family::BOTH.into_iter().flat_map(keys).filter(|key| new.get(key).is_some()).count()
}

#[test]
fn requests_to_a_server_behind_the_old_host() {
    let (mirror, third, _server) = router("");
    set(&mirror, &mirror.old, "own");
    set(&mirror, &third, "foreign");
    let (source, _) = mirror.settled();
    assert_eq!(on_the_new_server(&mirror, "own"), 2 * KEYS, "all of old's own");
    let foreign = on_the_new_server(&mirror, "foreign");
    assert!(foreign == 0, "{foreign} keys of another server are on the new one");
    let passed = source["skipped_forwarded"] + source["skipped_no_socket"];
    assert!(passed >= 2 * KEYS as u64, "{source:?}");
}

#[test]
fn asked_for() {
    let (mirror, third, _server) = router("--forwarded");
    set(&mirror, &third, "foreign");
    mirror.settled();
    assert_eq!(on_the_new_server(&mirror, "foreign"), 2 * KEYS, "all of it");
}

/// By name of the address, nothing has to be asked.
#[test]
fn a_map_of_the_old_hosts_own_address() {
    let (mirror, third, _server) = router("");
    mirror.old.agent_ok("detach eth0");
    let maps = Family::BOTH.map(|family| {
        let [old, new] = [&mirror.old, &mirror.new].map(|host| match family {
            Family::V4 => host.v4().to_string(),
            Family::V6 => format!("[{}]", host.v6()),
        });
        format!("--map {old}:{PORT}={new}:{PORT}")
    });
    mirror.old.agent_ok(&format!("attach eth0 {} --forwarded", maps.join(" ")));
    set(&mirror, &mirror.old, "own");
    set(&mirror, &third, "foreign");
    mirror.settled();
    assert_eq!(on_the_new_server(&mirror, "own"), 2 * KEYS, "all of old's own");
    assert_eq!(on_the_new_server(&mirror, "foreign"), 0, "keys of another server");
}
