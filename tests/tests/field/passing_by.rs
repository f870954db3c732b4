//! An old host that is a router, too: what only passes by belongs to another memcached.
//!
//! ```text
//!   client ──▶ old ──▶ third        by old's routes: 11211 of another server
//!               └──▶ new            what is old's own: 11211 of this one
//! ```

use mirror_tests::{
    client::Connection,
    expected::to_fail,
    memcached::Memcached,
    mirror::{Mirror, PORT},
};

const KEYS: usize = 20;
const REASON: &str = "a map without an address takes every packet to its port";

#[test]
fn requests_to_a_server_behind_the_old_host() {
    let mut mirror = Mirror::running();
    let third = mirror.lab.host("third");
    let _server = Memcached::start(&third, PORT);
    // A router that does not tell the client of the shorter way.
    for line in ["ip_forward", "conf/all/send_redirects", "conf/eth0/send_redirects"] {
        let value = u8::from(line == "ip_forward");
        mirror.old.shell(&format!("echo {value} >/proc/sys/net/ipv4/{line}"));
    }
    let old = mirror.old.v4().to_string();
    mirror.client.ip(&["route", "add", &third.v4().to_string(), "via", &old]);
    let mut clients = [
        ("own", mirror.connect()),
        ("foreign", Connection::open(&mirror.client, third.v4(), PORT)),
    ];
    for key in 0..KEYS {
        for (name, client) in &mut clients {
            client.set(&format!("{name}{key}"), b"value");
        }
    }
    mirror.settled();
    mirror.assert_copied((0..KEYS).map(|key| format!("own{key}")));
    let mut new = mirror.new_server.inside(&mirror.new);
    let foreign = (0..KEYS).filter(|key| new.get(&format!("foreign{key}")).is_some()).count();
    to_fail(REASON, "keys of another server are on the new one", || {
        assert!(foreign == 0, "{foreign} keys of another server are on the new one");
    });
}
