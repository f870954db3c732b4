//! A client with a pool of connections, of which `--sample` takes some: what one connection stores, another one
//! deletes.

use mirror_tests::{client::Connection, expected::to_fail, mirror::Mirror};

const POOL: usize = 20;
const KEYS: usize = 100;
const REASON: &str = "a sample is one of connections, not of keys";

#[test]
fn a_sample_leaves_no_stale_keys() {
    let mirror = Mirror::idle();
    mirror.start_with("--sample 50%");
    let mut pool: Vec<Connection> = (0..POOL).map(|_| mirror.connect()).collect();
    let name = |key: usize| format!("key{key}");
    // Each key by one connection, and then by another: of every four pairs, one is stored only.
    for key in 0..KEYS {
        pool[key % POOL].set(&name(key), b"older");
    }
    mirror.settled();
    for key in 0..KEYS {
        let next = &mut pool[(key + 1 + key / POOL) % POOL];
        if key % 2 == 0 {
            next.set(&name(key), b"newer");
        } else {
            assert_eq!(next.ask(format!("delete {}\r\n", name(key)), "\r\n"), b"DELETED\r\n");
        }
    }
    let (source, target) = mirror.settled();
    assert!(source["skipped_sample"] > 0 && target["opened"] > 0, "{source:?}, {target:?}");
    to_fail(REASON, "the new server holds an older value of", || {
        mirror.assert_none_stale((0..KEYS).map(name));
    });
}
