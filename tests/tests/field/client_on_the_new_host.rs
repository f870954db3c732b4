//! A client of the old memcached that lives on the new host, as where applications share hosts with caches.

use mirror_tests::{
    client::Connection,
    expected::to_fail,
    mirror::{Mirror, PORT},
};

const KEYS: usize = 20;
const REASON: &str =
    "the copies' source is the new host itself, which does not take them from a wire";

fn mirrored(v6: bool) {
    let mirror = Mirror::running();
    let old = if v6 { mirror.old.v6() } else { mirror.old.v4() };
    let mut clients = [&mirror.client, &mirror.new].map(|host| Connection::open(host, old, PORT));
    for key in 0..KEYS {
        for (client, name) in clients.iter_mut().zip(["elsewhere", "there"]) {
            client.set(&format!("{name}{key}"), b"value");
        }
    }
    mirror.new.settled("target");
    assert!(mirror.old.copied() >= 2 * KEYS as u64, "all was copied");
    mirror.assert_copied((0..KEYS).map(|key| format!("elsewhere{key}")));
    to_fail(REASON, "keys are missing on the new server", || {
        mirror.assert_copied((0..KEYS).map(|key| format!("there{key}")));
    });
}

#[test]
fn over_ipv4() {
    mirrored(false);
}

#[test]
fn over_ipv6() {
    mirrored(true);
}
