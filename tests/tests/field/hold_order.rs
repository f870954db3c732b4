//! Values in segments as they are on a wire, and more at a time than a new connection's window takes: what has to
//! wait keeps its order, waits for a bounded time, and does not keep its connection waiting.

use std::{
    io::Read as _,
    sync::atomic::{AtomicBool, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use mirror_tests::{
    Lab,
    agent::{Counters, lost},
    client::{Connection, set_request},
    host::{Host, Running},
    mirror::{Mirror, PORT},
    wait,
};
use nix::sys::signal::Signal;

const LARGE: usize = 900_000;

/// A mirror with further options of `drop`.
fn mirror_with(options: &str) -> Mirror {
    let mirror = Mirror::idle();
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT} {options}"));
    mirror.attach("");
    mirror
}

/// Something that takes all of every processor's time. Gone when dropped.
fn busy_processors(host: &Host) -> Vec<Running> {
    let count = std::thread::available_parallelism().expect("a number of processors").get();
    let busy = || host.command("sh").args(["-c", "while :; do :; done"]).spawn();
    (0..count).map(|_| Running(busy().expect("a shell can be started"))).collect()
}

/// A value that says whose it is, all over.
fn value(key: &str, length: usize) -> Vec<u8> {
    key.bytes().chain(*b" ").cycle().take(length).collect()
}

/// Several connections set `count` values each, all at once; returns the keys.
fn set_all(mirror: &Mirror, connections: usize, count: usize, length: usize) -> Vec<String> {
    let keys = |connection| (0..count).map(move |i| format!("key-{connection}-{i}"));
    std::thread::scope(|scope| {
        for connection in 0..connections {
            let mut client = mirror.connect();
            scope.spawn(move || {
                keys(connection).for_each(|key| client.set(&key, &value(&key, length)));
            });
        }
    });
    (0..connections).flat_map(keys).collect()
}

/// Two connections set ten large values each: all of them are on the new host, as they are.
fn all_are_there(mirror: &Mirror) {
    let wire = mirror.watch_new();
    let keys = set_all(mirror, 2, 10, LARGE);
    let start = Instant::now();
    let target = mirror.assert_all_applied(wire);
    println!("settled after {:?}, held {}", start.elapsed(), target["held"]);
    assert_eq!(target["desynced"], 0, "{target:?}");
    mirror.assert_same(keys);
}

#[test]
fn large_values_of_two_connections() {
    all_are_there(&mirror_with(""));
}

#[test]
fn large_values_while_all_processors_are_busy() {
    let mirror = mirror_with("");
    let _busy = busy_processors(&mirror.client);
    all_are_there(&mirror);
}

#[test]
fn large_values_for_which_a_new_connection_has_no_room() {
    all_are_there(&mirror_with("--no-receive-buffer"));
}

/// 42 MB of requests on one connection, as fast as production takes them.
fn all_of_a_pipeline_is_there(mirror: &Mirror) {
    // Faster than in segments as on a wire.
    mirror.join_segments(true);
    const COUNT: usize = 60_000;
    let key = |i: usize| format!("key{i}");
    let requests: Vec<u8> =
        (0..COUNT).flat_map(|i| set_request(&key(i), &value(&key(i), 700))).collect();
    let wire = mirror.watch_new();
    let mut client = mirror.connect();
    let mut replies = client.stream.try_clone().expect("a socket has several handles");
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut all = vec![0; COUNT * b"STORED\r\n".len()];
            replies.read_exact(&mut all).expect("production replies to all");
        });
        client.send(&requests);
    });
    println!("{:.0} MB/s", requests.len() as f64 / start.elapsed().as_secs_f64() / 1e6);
    let target = mirror.assert_all_applied(wire);
    assert_eq!(target["desynced"], 0, "{target:?}");
    mirror.assert_same((0..COUNT).step_by(97).map(key));
    mirror.assert_same_stats(&["cmd_set", "curr_items"]);
}

#[test]
fn a_client_that_does_not_wait() {
    all_of_a_pipeline_is_there(&Mirror::running());
}

#[test]
#[ignore = "long: cargo xtask field --all"]
fn a_client_that_does_not_wait_while_all_processors_are_busy() {
    let mirror = Mirror::running();
    let _busy = busy_processors(&mirror.client);
    all_of_a_pipeline_is_there(&mirror);
}

/// Clients that ask for something every millisecond, until told to stop.
fn ask_without_a_pause(clients: &mut [Connection], stop: &AtomicBool) {
    std::thread::scope(|scope| {
        for client in clients {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    client.get("nothing");
                    sleep(Duration::from_millis(1));
                }
            });
        }
    });
}

/// What counters rise by while half a second passes.
fn in_half_a_second(mirror: &Mirror, names: &[&str]) -> Vec<u64> {
    let before = mirror.new.counters("target");
    sleep(Duration::from_millis(500));
    let after = mirror.new.counters("target");
    names.iter().map(|name| after[*name] - before[*name]).collect()
}

#[test]
fn what_the_hold_device_dropped_does_not_keep_its_connection_there() {
    let mirror = mirror_with("--no-receive-buffer");
    let mut clients: Vec<Connection> = (0..4).map(|_| mirror.connect()).collect();
    clients.iter_mut().for_each(|client| client.set("first", b"1"));
    mirror.settled();
    // memcached reads nothing, so that what does not fit its sockets waits; the hold device loses all of that.
    mirror.new_server.signal(Signal::SIGSTOP);
    for client in &mut clients {
        client.set("large", &vec![b'x'; LARGE]);
    }
    let hold = format!("mahold{}", mirror.new.interface_index("eth0"));
    mirror.new.ip(&["link", "set", &hold, "down"]);
    mirror.new.ip(&["link", "set", &hold, "up"]);
    mirror.new_server.signal(Signal::SIGCONT);

    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| ask_without_a_pause(&mut clients, &stop));
        // Whatever happens to the check, the clients stop.
        let checked = std::panic::catch_unwind(|| {
            wait::until("connections that are served without the hold device", || {
                let rise = in_half_a_second(&mirror, &["applied", "held"]);
                println!("applied and held: {rise:?}");
                (rise[0] > 100 && rise[1] == 0).then_some(())
            });
        });
        stop.store(true, Ordering::Relaxed);
        checked.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    for (i, client) in clients.iter_mut().enumerate() {
        client.set(&format!("after{i}"), b"1");
    }
    let target = mirror.new.settled("target");
    assert!(target["discarded_hold_dropped"] > 0, "{target:?}");
    mirror.assert_same((0..4).map(|i| format!("after{i}")));
}

/// How long the oldest copy waits, while memcached reads nothing.
fn longest_wait(mirror: &Mirror, length: Duration) -> (u64, u64) {
    let (start, mut longest, mut waiting) = (Instant::now(), 0, 0);
    while start.elapsed() < length {
        let target: Counters = mirror.new.counters("target");
        longest = longest.max(target["longest_wait_ms"]);
        waiting = waiting.max(target["waiting"]);
        sleep(Duration::from_millis(50));
    }
    (waiting, longest)
}

#[test]
#[ignore = "long: cargo xtask field --all"]
fn a_new_host_that_is_slower_for_long_loses_whole_requests_by_name() {
    let mirror = mirror_with("--no-receive-buffer");
    let leaks = mirror.watch_leaks();
    let mut clients: Vec<Connection> = (0..2).map(|_| mirror.connect()).collect();
    clients.iter_mut().for_each(|client| client.set("first", b"1"));
    mirror.settled();
    mirror.new_server.signal(Signal::SIGSTOP);
    let mut keys = Vec::new();
    for round in 0..5 {
        for (i, client) in clients.iter_mut().enumerate() {
            let key = format!("stopped-{round}-{i}");
            client.set(&key, &value(&key, 300_000));
            keys.push(key);
        }
    }
    let (waiting, longest) = longest_wait(&mirror, Duration::from_secs(4));
    assert!(waiting > 0, "stats show what waits");
    assert!((200..=3000).contains(&longest), "stats show for how long: {longest} ms");
    mirror.new_server.signal(Signal::SIGCONT);
    sleep(Duration::from_secs(1));
    // Requests that are waited for, so that there are boundaries.
    for i in 0..4 {
        clients.iter_mut().for_each(|client| client.set(&format!("again{i}"), b"1"));
        sleep(Duration::from_millis(50));
    }
    let (_, target) = mirror.settled();
    assert!(lost(&target) > 0, "{target:?}");
    let (mut of_old, mut of_new) =
        (mirror.old_server.inside(&mirror.old), mirror.new_server.inside(&mirror.new));
    let missing = keys.iter().filter(|key| {
        let found = of_new.get(key);
        assert!(found.is_none() || found == of_old.get(key), "{key} is not what it was");
        found.is_none()
    });
    let missing = missing.count();
    println!("{missing} of {} are missing, {} segments lost", keys.len(), lost(&target));
    assert!(missing > 0);
    mirror.assert_same(["again3"]);
    leaks.assert_none();
}

#[test]
fn the_hold_device_gives_packets_to_one_processor_at_a_time() {
    let mut lab = Lab::new();
    let new = lab.host("new");
    new.agent_ok(&format!("drop eth0 --port {PORT}"));
    let near = format!("mahold{}", new.interface_index("eth0"));
    let features = |name: &str| new.output("ethtool", &["-k", name]);
    assert!(features(&near).contains("tx-tcp-segmentation: off"));
    assert!(features(&format!("{near}p")).contains("generic-receive-offload: on"));
}
