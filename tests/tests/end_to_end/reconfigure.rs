//! Changing what is copied while it is: no gap, no lost copy, and many entries at once.

use std::sync::atomic::{AtomicBool, Ordering};

use mirror_tests::{
    Host,
    agent::lost,
    client::Connection,
    memcached::Memcached,
    mirror::{Mirror, PORT},
};
use serde_json::Value;

/// What `map list --json` says of the one source.
fn listed(host: &Host) -> Value {
    let document: Value =
        serde_json::from_str(&host.agent_ok("map list --json")).expect("one document");
    document["attachments"][0].clone()
}

#[test]
fn what_stays_loses_nothing_while_other_maps_come_and_go() {
    const CHANGES: usize = 30;
    let mut mirror = Mirror::idle();
    let other = mirror.lab.host("other");
    let _other_server = Memcached::start(&other, PORT);
    mirror.start();
    other.agent_ok(&format!("drop eth0 --port {PORT}"));
    let wire = mirror.watch_new();
    let more = format!("{PORT}={}:{PORT}", other.v4());
    let mut connections: Vec<Connection> = (0..4).map(|_| mirror.connect()).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for (number, connection) in connections.iter_mut().enumerate() {
            let done = &done;
            scope.spawn(move || {
                for request in 0.. {
                    if done.load(Ordering::Relaxed) && request > 100 {
                        break;
                    }
                    connection.set(&format!("live-{number}-{}", request % 500), b"value");
                }
            });
        }
        for _ in 0..CHANGES {
            mirror
                .old
                .agent_ok(&format!("map add eth0 --map {more} --exclude-client 192.0.2.0/24"));
            let remove = format!("map remove eth0 --map {more} --exclude-client 192.0.2.0/24");
            mirror.old.agent_ok(&remove);
        }
        done.store(true, Ordering::Relaxed);
    });

    // The map that stayed was never without its packets.
    let source = mirror.old.settled("source");
    let maps = mirror.old.all_map_counters();
    let target = mirror.new.settled("target");
    let stayed = &maps[&format!("{PORT}={}:{PORT}", mirror.new.v4())];
    assert_eq!(stayed["copies"], source["mirrored"], "{maps:?} {source:?}");
    assert_eq!(source["skipped_port"] + source["unmapped"], 0, "{source:?}");
    assert_eq!((target["desynced"], target["adopted"]), (0, 0), "{target:?}");
    assert_eq!(lost(&target), 0, "{target:?}");
    assert_eq!(wire.stop(), Vec::<String>::new(), "nothing leaves the new host");
    mirror.assert_same((0..4).flat_map(|n| (0..100).map(move |r| format!("live-{n}-{r}"))));
    let arrived = other.settled("target")["arrived"];
    assert!(arrived > 0, "the other target had some");
}

/// Each packet meets all of the old maps or all of the new ones, though each change is of eight.
#[test]
fn a_change_of_many_maps_is_one() {
    let mirror = Mirror::idle();
    // Nobody listens there, and nobody has to: what counts is what is sent.
    let maps = |first: u16| -> String {
        let map = |port| format!("--map {PORT}={}:{port} ", mirror.new.v4());
        (first..first + 8).map(map).collect()
    };
    mirror.old.agent_ok(&format!("attach eth0 {}", maps(12000)));
    let done = AtomicBool::new(false);
    let mut connection = mirror.connect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                connection.set("key", b"value");
            }
        });
        for round in 0..20 {
            let first = if round % 2 == 0 { 13000 } else { 12000 };
            mirror.old.agent_ok(&format!("map set eth0 {}", maps(first)));
        }
        done.store(true, Ordering::Relaxed);
    });
    connection.set("key", b"value");
    mirror.old.settled("source");
    let maps = mirror.old.all_map_counters();
    let counts: Vec<u64> = maps.values().map(|counters| counters["copies"]).collect();
    assert_eq!(counts.len(), 8);
    assert!(counts[0] > 0 && counts.iter().all(|count| *count == counts[0]), "{counts:?}");
}

#[test]
fn what_is_set_is_listed_and_the_rest_stays() {
    let mirror = Mirror::running();
    let before = listed(&mirror.old);
    mirror.old.agent_ok("map set eth0 --sample 25% --client 10.77.0.0/16 --for 1h");
    let after = listed(&mirror.old);
    assert_eq!(after["maps"], before["maps"]);
    assert_eq!(after["selection"]["sample_percent"], 25.0);
    assert_eq!(after["selection"]["clients"][0], "10.77.0.0/16");
    assert!(after["selection"]["seconds_left"].as_u64().is_some_and(|left| left > 3500), "{after}");
    mirror.old.agent_ok("map set eth0 --sample 100% --clear-clients --no-deadline");
    assert_eq!(listed(&mirror.old), before);

    for (line, mentions) in [
        ("map add eth1 --map 1=10.0.0.5:1", "eth1"),
        ("map remove eth0 --map 1=10.0.0.5:1", "is not a map"),
        ("map list eth1", "no source is attached"),
    ] {
        let said = mirror.old.agent_refuses(line);
        assert!(said.contains(mentions), "{line}: {said}");
        assert_eq!(listed(&mirror.old), before, "nothing changed");
    }
    let said = mirror.new.agent_refuses("map add eth0 --map 1=10.0.0.5:1");
    assert!(said.contains("no source is attached at eth0"), "{said}");
}
