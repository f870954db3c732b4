//! `keys` and `compare` beside a mirror: their requests are neither copied nor counted as a client's.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread::scope,
};

use mirror_tests::{
    Host,
    client::Connection,
    mirror::{Mirror, PORT},
    traffic::{Client, Style},
};

use crate::compare::Stop;

/// Runs both verbs on `host` by these addresses, and checks that the mirror did not take part.
fn inspect(mirror: &Mirror, host: &Host, old: &str, new: &str) {
    let (source, target) = mirror.settled();
    host.agent_ok(&format!("keys {old} --flags"));
    host.agent_ok(&format!("keys {new} --flags"));
    host.agent_ok(&format!("compare {old}={new}"));
    let (source_after, target_after) = mirror.settled();
    for same in ["mirrored", "failed_malformed"] {
        assert_eq!(source[same], source_after[same], "{same}");
    }
    for same in ["arrived", "direct_in", "direct_out", "opened", "adopted"] {
        assert_eq!(target[same], target_after[same], "{same}");
    }
    for (more, before, after) in [
        ("skipped_inspection", &source, &source_after),
        ("inspection_in", &target, &target_after),
        ("inspection_out", &target, &target_after),
    ] {
        // One that runs on a server's own host reaches that one by loopback.
        let own = if more == "skipped_inspection" { &mirror.old } else { &mirror.new };
        assert_eq!(after[more] > before[more], host.number != own.number, "{more}");
    }
}

#[test]
fn from_any_host_by_any_family() {
    let mirror = Mirror::running();
    let mut client = mirror.connect();
    (0..50).for_each(|key| client.set(&format!("key{key}"), b"value"));
    mirror.caught_up();
    let (old, new) = (mirror.old.v4().to_string(), mirror.new.v4().to_string());
    for host in [&mirror.client, &mirror.new, &mirror.old] {
        inspect(&mirror, host, &old, &new);
    }
    let (old, new) = (format!("[{}]", mirror.old.v6()), format!("[{}]", mirror.new.v6()));
    inspect(&mirror, &mirror.client, &old, &new);
    client.set("behind", b"value");
    mirror.settled();
    mirror.assert_same(["behind", "key0", "key49"]);
}

/// Copies are late, and clients go on: nothing of that is a difference.
#[test]
fn beside_clients_that_write_all_the_time() {
    let mirror = Mirror::running();
    let connect = || mirror.connect();
    let mut clients: Vec<Client> = [Style::Text, Style::Meta, Style::Binary, Style::Quiet]
        .map(|style| Client::new(format!("{style:?}"), style, connect()))
        .into();
    // So that each has something to find at once.
    clients.iter_mut().for_each(|client| client.work(50));
    let stop = AtomicBool::new(false);
    scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    client.work(10);
                }
            });
        }
        let _end = Stop(&stop);
        for _ in 0..3 {
            let (counts, verdict) = mirror.compare();
            assert_eq!(verdict, "same", "{counts:?}");
            assert!(counts["same"] > 0, "{counts:?}");
        }
    });
    mirror.settled();
    mirror.assert_same_items();
}

/// A port alone makes no inspection.
#[test]
fn a_client_of_such_a_port_is_a_client() {
    let mirror = Mirror::running();
    let mut client = Connection::open_from(&mirror.client, 61_440, mirror.old.v4(), PORT);
    (0..20).for_each(|key| client.set(&format!("key{key}"), b"value"));
    let (source, target) = mirror.settled();
    assert_eq!((source["skipped_inspection"], target["inspection_out"]), (0, 0));
    mirror.assert_copied((0..20).map(|key| format!("key{key}")));
}
