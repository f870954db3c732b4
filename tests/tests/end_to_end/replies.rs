//! Replies on the new host may have any length, whatever production's have.

use mirror_tests::{agent::lost, client::Connection, mirror::Mirror};

const BIG: usize = 1_000_000;

/// Asks for large values that only the server has which `holder` connects to, and stores a small one
/// after each. Production replies with `found` bytes, and the new server counts 20 of `counted`.
fn ask_for_large(holder: impl Fn(&Mirror) -> Connection, found: Option<usize>, counted: &str) {
    let mirror = Mirror::idle();
    let mut inside = holder(&mirror);
    for i in 0..20 {
        inside.set(&format!("big{i}"), &vec![b'a' + i; BIG]);
    }
    mirror.start();
    let wire = mirror.watch_new();
    let mut client = mirror.connect();
    for i in 0..20 {
        assert_eq!(client.get(&format!("big{i}")).map(|value| value.len()), found, "big{i}");
        client.set(&format!("then{i}"), b"goes on");
    }
    mirror.assert_all_applied(wire);
    assert_eq!(mirror.new_server.stat(&mirror.new, counted), 20);
    mirror.assert_same((0..20).map(|i| format!("then{i}")));
}

#[test]
fn a_cold_target_misses_where_production_hits() {
    ask_for_large(|mirror| mirror.old_server.inside(&mirror.old), Some(BIG), "get_misses");
}

#[test]
fn the_target_hits_where_production_misses() {
    ask_for_large(|mirror| mirror.new_server.inside(&mirror.new), None, "get_hits");
}

#[test]
fn errors_that_only_one_server_makes_do_not_matter() {
    let mirror = Mirror::idle();
    mirror.old_server.inside(&mirror.old).set("number", b"7");
    mirror.new_server.inside(&mirror.new).set("number", b"not one");
    mirror.start();
    let mut client = mirror.connect();
    for i in 0..50 {
        assert_eq!(client.ask("incr number 1\r\n", "\r\n"), format!("{}\r\n", 8 + i).into_bytes());
        client.set(&format!("next{i}"), b"1");
    }
    let (_, target) = mirror.settled();
    assert_eq!(lost(&target), 0, "{target:?}");
    mirror.assert_same((0..50).map(|i| format!("next{i}")));
}
