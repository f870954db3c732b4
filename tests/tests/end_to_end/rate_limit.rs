//! `--rate-limit`: whole connections are shed, production does not notice, and all is counted.

use std::time::Instant;

use mirror_tests::{
    Host,
    agent::Counters,
    client::Connection,
    memcached::Memcached,
    mirror::{Mirror, PORT},
};
use serde_json::Value;

const CONNECTIONS: usize = 60;

/// Each connection stores these of its keys, as fast as it can, with others.
fn work(connections: &mut [Connection], what: &str, requests: usize) {
    std::thread::scope(|scope| {
        for (lane, lanes) in connections.chunks_mut(CONNECTIONS / 3).enumerate() {
            scope.spawn(move || {
                for request in 0..requests {
                    for (number, connection) in lanes.iter_mut().enumerate() {
                        connection.set(&format!("{what}-{lane}-{number}-{request}"), b"value");
                    }
                }
            });
        }
    });
}

fn of_map(host: &Host, target: &Host) -> Counters {
    host.map_counters(&format!("{PORT}={}:{PORT}", target.v4()))
}

#[test]
fn what_is_more_than_the_limit_is_shed_by_connections() {
    // Few, since machines differ in what they do in a second.
    const PACKETS: u64 = 500;
    let mut mirror = Mirror::idle();
    let other = mirror.lab.host("other");
    let _other_server = Memcached::start(&other, PORT);
    other.agent_ok(&format!("drop eth0 --port {PORT}"));
    let second = format!("--map {PORT}={}:{PORT}", other.v4());
    mirror.start_with(&format!("{second} --rate-limit {PACKETS}pps --rate-limit 1gbit"));
    let status = mirror.old.agent_ok("status");
    assert!(status.contains("no more than 500pps to each target"), "{status}");
    assert!(status.contains("no more than 1gbit to each target"), "{status}");

    let wire = mirror.watch_new();
    let mut connections: Vec<Connection> = (0..CONNECTIONS).map(|_| mirror.connect()).collect();
    let began = Instant::now();
    // Every request is answered, or this panics.
    work(&mut connections, "limited", 600);
    let seconds = began.elapsed().as_secs_f64();
    let source = mirror.old.settled("source");
    assert!(source["skipped_rate_limit"] > 0, "{source:?}");
    for target in [&mirror.new, &other] {
        let map = of_map(&mirror.old, target);
        // On average, and a few seconds' worth until that is found.
        let most = (seconds * 1.1 + 4.0) * PACKETS as f64;
        assert!(map["sent_segments"] as f64 <= most, "{seconds} s: {map:?}");
        assert!(map["sent_segments"] > 0 && map["rate_limited"] > map["copies"], "{map:?}");
    }
    let target = mirror.new.settled("target");
    assert_eq!(target["arrived"], of_map(&mirror.old, &mirror.new)["sent_segments"], "{target:?}");
    assert!(!mirror.new_server.items(&mirror.new).is_empty());

    // Without the limit all of them are back.
    mirror.old.agent_ok("map set eth0 --no-rate-limit");
    let listed: Value =
        serde_json::from_str(&mirror.old.agent_ok("map list --json")).expect("JSON");
    assert_eq!(listed["attachments"][0]["selection"]["rate_limits"], Value::Array(vec![]));
    let shed = of_map(&mirror.old, &mirror.new)["rate_limited"];
    work(&mut connections, "all", 20);
    mirror.old.settled("source");
    mirror.new.settled("target");
    assert_eq!(of_map(&mirror.old, &mirror.new)["rate_limited"], shed);
    // What each is joined by, and what was on its way, is lost.
    mirror.assert_same((0..3).flat_map(|lane| {
        (0..CONNECTIONS / 3)
            .flat_map(move |number| (5..20).map(move |i| format!("all-{lane}-{number}-{i}")))
    }));
    assert_eq!(wire.stop(), Vec::<String>::new(), "nothing leaves the new host");
}

#[test]
fn below_the_limit_nothing_is_shed_and_a_dry_run_tells_what_would_be() {
    let mirror = Mirror::idle();
    mirror.start_with("--rate-limit 1gbit");
    let mut connections: Vec<Connection> = (0..CONNECTIONS).map(|_| mirror.connect()).collect();
    work(&mut connections, "key", 20);
    mirror.settled();
    let map = of_map(&mirror.old, &mirror.new);
    assert_eq!((map["rate_limited"], map["copies"]), (0, map["sent"]), "{map:?}");

    mirror.old.agent_ok("map set eth0 --dry-run --rate-limit 100pps");
    work(&mut connections, "dry", 100);
    mirror.old.settled("source");
    let after = of_map(&mirror.old, &mirror.new);
    assert_eq!(after["sent"], map["sent"], "{after:?}");
    assert!(after["rate_limited"] > 0 && after["dry_run_copies"] > 0, "{after:?}");
}
