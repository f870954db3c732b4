//! Connections that are older than the mirror: adopted at a proven request boundary, never inside a
//! value.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mirror_tests::{
    agent::lost,
    client::{Connection, set_request},
    mirror::Mirror,
};

#[test]
fn idle_connections_are_adopted_and_lose_one_request_each() {
    const CONNECTIONS: usize = 20;
    let mirror = Mirror::idle();
    let mut clients: Vec<Connection> = (0..CONNECTIONS).map(|_| mirror.connect()).collect();
    for client in &mut clients {
        client.set("before", b"1");
    }
    mirror.start();
    let wire = mirror.watch_new();
    for (i, client) in clients.iter_mut().enumerate() {
        client.get("evidence");
        for j in 0..10 {
            client.set(&format!("c{i}-{j}"), b"after");
        }
    }
    let (_, target) = mirror.settled();
    assert_eq!(target["adopted"], CONNECTIONS as u64, "{target:?}");
    assert_eq!(lost(&target), target["discarded_unsynced"], "{target:?}");
    assert_eq!(target["discarded_unsynced"], CONNECTIONS as u64, "one request each: {target:?}");
    assert_eq!(wire.stop(), Vec::<String>::new(), "nothing leaves the new host");
    mirror.assert_same((0..CONNECTIONS).flat_map(|i| (0..10).map(move |j| format!("c{i}-{j}"))));
}

#[test]
fn attach_in_mid_load_loses_at_most_one_request_of_a_connection() {
    const CONNECTIONS: usize = 8;
    let mirror = Mirror::idle();
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let missing: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..CONNECTIONS)
            .map(|i| {
                let mut client = mirror.connect();
                let (stop, done) = (&stop, &done);
                scope.spawn(move || {
                    let mut sent = 0;
                    while !stop.load(Ordering::Relaxed) {
                        client.set(
                            &format!("load{i}-{sent}"),
                            &vec![b'x'; 10 + sent as usize % 1000],
                        );
                        sent += 1;
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    sent
                })
            })
            .collect();
        let wait_for = |more: u64| {
            let goal = done.load(Ordering::Relaxed) + more;
            while done.load(Ordering::Relaxed) < goal {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        };
        wait_for(2000);
        mirror.start();
        wait_for(4000);
        stop.store(true, Ordering::Relaxed);
        let sent: Vec<u64> =
            workers.into_iter().map(|worker| worker.join().expect("a client")).collect();
        mirror.settled();
        // What each connection is missing on the new server after the first key that is there.
        let mut inside = mirror.new_server.inside(&mirror.new);
        sent.iter()
            .enumerate()
            .map(|(i, sent)| {
                let has: Vec<bool> =
                    (0..*sent).map(|n| inside.get(&format!("load{i}-{n}")).is_some()).collect();
                let first = has.iter().position(|has| *has).expect("the connection was adopted");
                (first as u64..*sent).filter(|n| !has[*n as usize]).collect()
            })
            .collect()
    });
    let target = mirror.new.settled("target");
    assert_eq!(target["adopted"], CONNECTIONS as u64, "{target:?}");
    // A closed loop has no holes: from the first request that is applied, all are.
    assert_eq!(missing, vec![Vec::<u64>::new(); CONNECTIONS], "{target:?}");
    // A request is one segment here.
    assert!(target["discarded_unsynced"] <= CONNECTIONS as u64, "{target:?}");
}

#[test]
fn values_that_look_like_requests_never_run() {
    let mirror = Mirror::idle();
    let mut client = mirror.connect();
    client.set("before", b"1");
    // The value's first part is on its way when the mirror starts; each further part looks like a
    // request of its own, and begins a segment of its own.
    let part = b"set evil 0 0 4\r\nEVIL\r\n";
    const PARTS: usize = 20;
    client.send(format!("set good 0 0 {}\r\n", part.len() * PARTS).as_bytes());
    client.send(part);
    std::thread::sleep(std::time::Duration::from_millis(100));
    mirror.start();
    for _ in 1..PARTS {
        client.send(part);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(client.ask("\r\n", "\r\n"), b"STORED\r\n");
    client.set("first", b"seen");
    client.set("second", b"seen");
    client.send(&set_request("third", b"seen"));
    assert_eq!(client.read_until(b"\r\n"), b"STORED\r\n");

    let (_, target) = mirror.settled();
    assert_eq!(target["adopted"], 1, "{target:?}");
    assert_eq!(mirror.new_server.inside(&mirror.new).get("evil"), None, "a value was run");
    mirror.assert_same(["second", "third"]);
}
