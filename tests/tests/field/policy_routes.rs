//! Routes of the old host that depend on where a packet comes from: copies come from clients, as forwarded packets
//! do, and the host's own way to the target is another.
//!
//! ```text
//!   old ── from old itself ──▶ new
//!       └─ from clients ─────▶ a gateway that is nobody
//! ```

use mirror_tests::{
    expected::to_fail,
    mirror::{Mirror, PORT},
};

const KEYS: usize = 20;
const REASON: &str = "copies are routed by the client's address, which attach does not ask about";

#[test]
fn a_rule_for_the_clients_addresses() {
    let mirror = Mirror::idle();
    let client = mirror.client.v4().to_string();
    mirror.old.ip(&["route", "add", "default", "via", "10.77.0.99", "table", "100"]);
    mirror.old.ip(&["rule", "add", "from", &client, "lookup", "100"]);
    mirror.start();
    let mut client = mirror.connect();
    for key in 0..KEYS {
        client.set(&format!("key{key}"), b"value");
    }
    mirror.old.settled("source");
    mirror.new.settled("target");
    assert!(mirror.old.copied() >= KEYS as u64, "all was copied");
    to_fail(REASON, "keys are missing on the new server", || {
        mirror.assert_copied((0..KEYS).map(|key| format!("key{key}")));
    });
}

#[test]
fn rules_that_matter_are_named_with_how_copies_take_them() {
    let mirror = Mirror::idle();
    let map = format!("--map {PORT}={}:{PORT}", mirror.new.v4());
    for (at, rule) in [
        &["from", "10.88.0.0/16", "lookup", "100"][..],
        &["fwmark", "0x3000/0xf000", "lookup", "101"],
        &["from", "10.88.0.0/16", "to", "192.0.2.0/24", "lookup", "102"],
        &["from", &mirror.old.v4().to_string(), "lookup", "103"],
    ]
    .into_iter()
    .enumerate()
    {
        let at = (at + 1).to_string();
        mirror.old.ip(&[&["rule", "add", "pref", &at], rule].concat());
    }
    mirror.old.assert_said(
        &map,
        &[
            "follow these routing rules by source: 1 (from 10.88.0.0/16 lookup 100)",
            "do not follow these routing rules: 2 (fwmark 0x3000/0xf000 lookup 101)",
        ],
    );
    let notes = mirror.old.notes().join("\n");
    assert!(!notes.contains("lookup 102") && !notes.contains("lookup 103"), "{notes}");
}
