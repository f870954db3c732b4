//! A client of the old memcached that lives on the new host, as where applications share hosts with
//! caches: not mirrored, by name.

use mirror_tests::{
    client::Connection,
    mirror::{Mirror, PORT},
};

const KEYS: usize = 20;

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
    // Its packets would come from the new host's own address, which no wire brings. That is known at once.
    let target = mirror.new.counters("target");
    assert!(target["discarded_no_way_back"] >= KEYS as u64 / 2, "{target:?}");
    assert!(target["held"] < 1000, "none of them waits: {target:?}");
    mirror.assert_none_stale((0..KEYS).map(|key| format!("there{key}")));
}

#[test]
fn over_ipv4() {
    mirrored(false);
}

#[test]
fn over_ipv6() {
    mirrored(true);
}
