//! How people start memcached, on both hosts or on one of them, and what becomes of it while it serves.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    time::Duration,
};

use mirror_tests::{
    client::{Connection, binary, set_request},
    mirror::Mirror,
    wait,
};
use nix::sys::signal::Signal;

/// Clients of each kind.
const CLIENTS: usize = 4;

/// What two servers are started with, and what is tried then.
type Row = (&'static [&'static str], &'static [&'static str], fn(&mut Mirror));

/// Where nothing may be lost.
const ROWS: [Row; 6] = [
    (&["-t", "1", "-R", "1"], &["-t", "4", "-U", "0"], usual),
    (&["-t", "4", "-B", "ascii"], &["-t", "4", "-C"], usual),
    (&["-B", "binary"], &["-B", "binary"], binary_only),
    (&["-o", "idle_timeout=1"], &["-o", "idle_timeout=1"], idle),
    (&["-I", "512k"], &["-I", "512k"], too_large_for_both),
    (&["-I", "8m"], &[], too_large_for_the_new_one),
];

/// What the old server does while it serves.
const EVENTS: [Row; 2] = [(&[], &[], stands_still), (&[], &[], restarts)];

/// Where something is lost, done twice, or stays.
const TROUBLES: [Row; 3] = [
    (&["-c", "40"], &[], few_connections),
    (&["-o", "idle_timeout=1"], &[], a_request_that_comes_too_late),
    (&[], &["-b", "4"], a_short_queue),
];

fn try_all(mirror: &mut Mirror, rows: &[Row]) {
    for (old, new, try_it) in rows {
        println!("{old:?}, {new:?}");
        mirror.restart_old(old);
        mirror.restart_new(new);
        try_it(mirror);
    }
}

#[test]
#[ignore = "long: cargo xtask field --all"]
fn both_hold_the_same() {
    let mut mirror = Mirror::running();
    let leaks = mirror.watch_leaks();
    try_all(&mut mirror, &ROWS);
    leaks.assert_none();
}

#[test]
fn the_old_one_is_away_for_a_while() {
    let mut mirror = Mirror::running();
    let leaks = mirror.watch_leaks();
    try_all(&mut mirror, &EVENTS);
    leaks.assert_none();
}

#[test]
fn one_of_them_refuses() {
    let mut mirror = Mirror::running();
    let leaks = mirror.watch_leaks();
    try_all(&mut mirror, &TROUBLES);
    leaks.assert_none();
}

fn assert_same(mirror: &Mirror, keys: &[String]) {
    mirror.settled();
    mirror.assert_same(keys);
}

/// Clients that know nothing of the servers' options.
fn usual(mirror: &mut Mirror) {
    assert_same(mirror, &work(&mut connect(mirror, CLIENTS), "usual"));
}

/// Clients of one protocol, and one of another.
fn binary_only(mirror: &mut Mirror) {
    const GET: u8 = 0;
    const SET: u8 = 1;
    const KEYS: [&str; 3] = ["small", "large", "stranger"];
    let ask = |client: &mut Connection, request: &[u8]| {
        client.send(request);
        client.read_binary()
    };
    let mut client = mirror.connect();
    for (key, length) in [("small", 5), ("large", 50_000)] {
        let request = binary(SET, &[0; 8], key, &vec![b'v'; length]);
        assert_eq!(ask(&mut client, &request).status, 0, "{key}");
    }
    // Who speaks text is sent away.
    let mut stranger = mirror.connect();
    stranger.send(&set_request("stranger", b"value"));
    await_end(&mut stranger);
    mirror.settled();
    let held = |mut inside: Connection| {
        KEYS.map(|key| {
            let reply = ask(&mut inside, &binary(GET, &[], key, &[]));
            (reply.status, reply.body.len())
        })
    };
    let old = held(mirror.old_server.inside(&mirror.old));
    assert_eq!(old.map(|(status, _)| status), [0, 0, 1], "the third is missing");
    assert_eq!(old, held(mirror.new_server.inside(&mirror.new)));
}

/// A connection that both servers end.
fn idle(mirror: &mut Mirror) {
    let mut clients = connect(mirror, 1);
    let mut keys = work(&mut clients, "before");
    clients.iter_mut().for_each(await_end);
    drop(clients);
    keys.extend(work(&mut connect(mirror, 1), "behind"));
    assert_same(mirror, &keys);
    none_stays(mirror);
}

/// A value that both servers refuse.
fn too_large_for_both(mirror: &mut Mirror) {
    let reply = b"SERVER_ERROR object too large for cache\r\n";
    let mut keys = too_large(mirror, 600_000, reply);
    keys.push("large".to_owned());
    assert_same(mirror, &keys);
}

/// A value that the new server refuses: it holds none, then, as memcached does where it cannot store.
fn too_large_for_the_new_one(mirror: &mut Mirror) {
    let keys = too_large(mirror, 2_000_000, b"STORED\r\n");
    assert_same(mirror, &keys);
    mirror.assert_none_stale(["large"]);
}

/// A client overwrites a value by one of so many bytes, to which the old server says this, and goes on; returns others'
/// keys.
fn too_large(mirror: &Mirror, length: usize, says: &[u8]) -> Vec<String> {
    let mut client = mirror.connect();
    client.set("large", b"older");
    // Whole commands: none may be run.
    let value = set_request("evil", b"value").repeat(length / 25);
    assert_eq!(client.ask(set_request("large", &value), "\r\n"), says);
    let mut keys = work(&mut [client], "behind");
    keys.extend(work(&mut connect(mirror, CLIENTS), "others"));
    // Which nobody has.
    keys.push("evil".to_owned());
    keys
}

/// Waits until neither server has a client.
fn none_stays(mirror: &Mirror) {
    for (server, host) in [(&mirror.old_server, &mirror.old), (&mirror.new_server, &mirror.new)] {
        wait::until("connections to end", || (server.clients(host) == 0).then_some(()));
    }
}

fn connect(mirror: &Mirror, count: usize) -> Vec<Connection> {
    (0..count).map(|_| mirror.connect()).collect()
}

/// Has each client store, overwrite, count and delete; returns the names of its keys.
fn work(clients: &mut [Connection], round: &str) -> Vec<String> {
    let mut keys = Vec::new();
    for (number, client) in clients.iter_mut().enumerate() {
        let mut key = |kind: &str| {
            let name = format!("{round}-{number}-{kind}");
            keys.push(name.clone());
            name
        };
        client.set(&key("small"), b"value");
        client.set(&key("large"), &[b'l'; 50_000]);
        let overwritten = key("overwritten");
        client.set(&overwritten, b"older");
        client.set(&overwritten, b"newer");
        let count = key("count");
        client.set(&count, b"1");
        assert_eq!(client.ask(format!("incr {count} 1\r\n"), "\r\n"), b"2\r\n");
        let deleted = key("deleted");
        client.set(&deleted, b"value");
        assert_eq!(client.ask(format!("delete {deleted}\r\n"), "\r\n"), b"DELETED\r\n");
    }
    keys
}

/// Whether the server answers on this connection.
fn is_served(client: &mut Connection) -> bool {
    let mut reply = [0; 5];
    let asked = client.stream.write_all(b"get nothing\r\n");
    asked.and_then(|()| client.stream.read_exact(&mut reply)).is_ok() && reply == *b"END\r\n"
}

/// Waits until the server has closed this connection.
fn await_end(client: &mut Connection) {
    let read = client.stream.read(&mut [0; 100]).map_err(|error| error.kind());
    let ends = [Ok(0), Err(ErrorKind::ConnectionReset)];
    assert!(ends.contains(&read), "the server closes the connection: {read:?}");
}

/// The old server stops for a moment, while clients send requests and connect.
fn stands_still(mirror: &mut Mirror) {
    const MOMENT: Duration = Duration::from_millis(1500);
    let mut clients = connect(mirror, CLIENTS);
    let mut keys = work(&mut clients, "before");
    mirror.old_server.signal(Signal::SIGSTOP);
    for (number, client) in clients.iter_mut().enumerate() {
        let key = format!("meanwhile{number}");
        client.send(&set_request(&key, &[b'm'; 20_000]));
        keys.push(key);
    }
    // Its TCP takes their connections, and what they send.
    let mut later = connect(mirror, CLIENTS);
    later.iter_mut().for_each(|client| client.send(b"get nothing\r\n"));
    std::thread::sleep(MOMENT);
    mirror.old_server.signal(Signal::SIGCONT);
    clients.iter_mut().for_each(|client| assert_eq!(client.read_until(b"\r\n"), b"STORED\r\n"));
    later.iter_mut().for_each(|client| assert_eq!(client.read_until(b"\r\n"), b"END\r\n"));
    clients.extend(later);
    keys.extend(work(&mut clients, "behind"));
    assert_same(mirror, &keys);
}

/// The old server restarts, and clients connect again.
fn restarts(mirror: &mut Mirror) {
    let mut clients = connect(mirror, CLIENTS);
    work(&mut clients, "before");
    mirror.restart_old(&[]);
    clients.iter_mut().for_each(await_end);
    drop(clients);
    let keys = work(&mut connect(mirror, CLIENTS), "restarted");
    assert_same(mirror, &keys);
    none_stays(mirror);
}

/// More clients than the old server takes: it tells the others so, and closes.
fn few_connections(mirror: &mut Mirror) {
    const ALL: usize = 60;
    let mut clients = connect(mirror, ALL);
    let is_served: Vec<bool> = clients.iter_mut().map(is_served).collect();
    let mut served = is_served.into_iter();
    clients.retain(|_| served.next() == Some(true));
    let refused = ALL - clients.len();
    assert!((1..50).contains(&refused), "{refused} of {ALL} clients are refused by the old server");
    let mut keys = work(&mut clients, "full");
    drop(clients);
    let connected = || {
        [(&mirror.old_server, &mirror.old), (&mirror.new_server, &mirror.new)]
            .map(|(server, host)| server.clients(host) as usize)
    };
    wait::until("the others' connections to end", || {
        let [old, new] = connected();
        (old == 0 && new <= refused).then_some(())
    });
    keys.extend(work(&mut connect(mirror, CLIENTS), "room"));
    assert_same(mirror, &keys);
    let [_, left] = connected();
    assert!(left == 0, "{left} connections that production refused stay on the new host");
}

/// The old server has closed an idle connection when its client's next request comes, which is answered by a reset.
fn a_request_that_comes_too_late(mirror: &mut Mirror) {
    let mut client = mirror.connect();
    client.set("count", b"0");
    wait::until("the old server to close the idle connection", || {
        (mirror.old_server.clients(&mirror.old) == 0).then_some(())
    });
    client.send(b"incr count 1\r\n");
    await_end(&mut client);
    await_end(&mut client);
    // The client tries again.
    assert_eq!(mirror.connect().ask("incr count 1\r\n", "\r\n"), b"1\r\n");
    mirror.settled();
    mirror.assert_copied(["count"]);
}

/// More clients connect at once than the new server's queue has room for, while it does something else.
fn a_short_queue(mirror: &mut Mirror) {
    const WAITING: usize = 20;
    let keys = |name: &'static str| (0..WAITING).map(move |number| format!("{name}{number}"));
    mirror.new_server.signal(Signal::SIGSTOP);
    let mut clients = connect(mirror, WAITING);
    clients.iter_mut().zip(keys("first")).for_each(|(client, key)| client.set(&key, b"value"));
    mirror.new_server.signal(Signal::SIGCONT);
    mirror.settled();
    // They are joined, as connections are whose streams have a hole.
    let mut inside = mirror.new_server.inside(&mirror.new);
    for (client, key) in clients.iter_mut().zip(keys("later")) {
        wait::until("a connection to be joined", || {
            client.set(&key, b"value");
            std::thread::sleep(Duration::from_millis(20));
            inside.get(&key)
        });
    }
    mirror.assert_copied(keys("first"));
}
