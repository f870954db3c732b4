//! A network that takes from a host only what has the host's own address, as clouds' is until that is switched off.
//!
//! ```text
//!   client ──▶ old ──▶ client            production, as ever
//!               └─ from the client ✗     copies
//! ```

use mirror_tests::{
    Family,
    client::Connection,
    expected::to_fail,
    mirror::{Mirror, PORT},
    source_guard::SourceGuard,
};

const KEYS: usize = 20;
const REASON: &str = "copies have clients' addresses";

#[test]
fn copies_arrive_and_production_is_unharmed() {
    let mirror = Mirror::idle();
    let guard = SourceGuard::at(&mirror.lab, "old", &mirror.old);
    let leaks = mirror.watch_leaks();
    mirror.start();
    let mut keys = Vec::new();
    for old in Family::BOTH.map(|family| mirror.old.address(family)) {
        let mut client = Connection::open(&mirror.client, old, PORT);
        for key in (0..KEYS).map(|key| format!("{key}-{old}")) {
            client.set(&key, key.as_bytes());
            assert_eq!(client.get(&key), Some(key.clone().into_bytes()), "the old server's value");
            keys.push(key);
        }
    }
    mirror.old.settled("source");
    let target = mirror.new.settled("target");
    let sent: u64 = mirror.old.all_map_counters().values().map(|map| map["sent_segments"]).sum();
    assert!(sent > 2 * keys.len() as u64, "{sent} segments were sent");
    assert_eq!(guard.refused() + target["arrived"], sent, "the guard refuses nothing but copies");
    leaks.assert_none();
    to_fail(REASON, "keys are missing on the new server", || mirror.assert_copied(&keys));
}
