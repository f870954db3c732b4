//! A new host that is not as it should be: nothing reaches a client, and the mirror finds its way back.

use std::time::Duration;

use mirror_tests::{
    client::{Connection, frame, udp},
    memcached::Memcached,
    mirror::{Mirror, PORT},
    wait,
};
use nix::sys::signal::Signal;

/// Sends requests of every kind that a client can send, to the old host.
fn requests(mirror: &Mirror, clients: &mut [Connection], prefix: &str) {
    for (i, client) in clients.iter_mut().enumerate() {
        client.set(&format!("{prefix}{i}"), b"value");
        client.get("nothing");
    }
    Connection::open(&mirror.client, mirror.old.v4(), PORT).set(prefix, b"new connection");
    Connection::open(&mirror.client, mirror.old.v6(), PORT).set(prefix, b"new connection");
    let socket = udp(&mirror.client, mirror.old.v4(), PORT);
    socket.send(&frame(1, 1, b"get nothing\r\n")).expect("a datagram can be sent");
    socket.recv(&mut [0; 1500]).expect("production replies");
}

fn connect(mirror: &Mirror, count: usize) -> Vec<Connection> {
    (0..count).map(|_| mirror.connect()).collect()
}

/// Waits until what each of these clients sets is on the new server, too.
fn assert_served_again(mirror: &Mirror, clients: &mut [Connection]) {
    for (i, client) in clients.iter_mut().enumerate() {
        wait::until("a connection to be served again", || {
            let key = format!("again{i}");
            client.set(&key, b"1");
            std::thread::sleep(Duration::from_millis(50));
            mirror.new_server.inside(&mirror.new).get(&key).map(|_| ())
        });
    }
}

/// The same, and what they all send then is on both servers.
fn assert_goes_on(mirror: &Mirror, clients: &mut [Connection]) {
    assert_served_again(mirror, clients);
    requests(mirror, clients, "after");
    mirror.settled();
    let keys = (0..clients.len()).map(|i| format!("after{i}"));
    mirror.assert_same(keys.chain(["after".to_owned()]));
}

#[test]
fn nothing_answers_copies_where_drop_does_not_run() {
    let mirror = Mirror::idle();
    let leaks = mirror.watch_leaks();
    let mut clients = connect(&mirror, 5);
    mirror.attach("");
    requests(&mirror, &mut clients, "armed-not");
    // With nobody behind the port, too, where a plain packet would be answered by a reset or by ICMP.
    let Mirror { new_server, client, old, old_server, new, lab, redundancy } = mirror;
    drop(new_server);
    let mirror = Mirror {
        new_server: Memcached::start(&new, PORT + 1),
        client,
        old,
        old_server,
        new,
        lab,
        redundancy,
    };
    requests(&mirror, &mut clients, "closed-port");
    let source = mirror.old.settled("source");
    assert!(source["mirrored"] > 40, "{source:?}");
    leaks.assert_none();
}

#[test]
fn a_memcached_that_is_restarted_is_fed_again() {
    let mut mirror = Mirror::running();
    let leaks = mirror.watch_leaks();
    let mut clients = connect(&mirror, 10);
    requests(&mirror, &mut clients, "before");
    mirror.new_server.signal(Signal::SIGKILL);
    requests(&mirror, &mut clients, "meanwhile");
    mirror.new_server = Memcached::start(&mirror.new, PORT);
    assert_goes_on(&mirror, &mut clients);
    leaks.assert_none();
}

#[test]
fn a_memcached_that_is_stopped_for_long_catches_up_or_starts_anew() {
    let mirror = Mirror::running();
    let leaks = mirror.watch_leaks();
    let mut clients = connect(&mirror, 10);
    requests(&mirror, &mut clients, "before");
    mirror.new_server.signal(Signal::SIGSTOP);
    for round in 0..6 {
        // More than the sockets take: some connections are given up.
        clients[0].set("large", &[b'x'; 1_000_000]);
        requests(&mirror, &mut clients, &format!("stopped{round}"));
        std::thread::sleep(Duration::from_millis(400));
    }
    mirror.new_server.signal(Signal::SIGCONT);
    assert_goes_on(&mirror, &mut clients);
    leaks.assert_none();
}

#[test]
fn a_memcached_that_refuses_connections_harms_nobody() {
    let mut mirror = Mirror::idle();
    mirror.new_server.signal(Signal::SIGKILL);
    // Its limit includes what it needs itself; what is beyond is told so, and closed.
    mirror.new_server =
        Memcached::start_with(&mirror.new, PORT, &["-c", "64", "-o", "maxconns_fast"]);
    mirror.start();
    let leaks = mirror.watch_leaks();
    let mut clients = connect(&mirror, 100);
    for round in 0..3 {
        requests(&mirror, &mut clients, &format!("round{round}-"));
    }
    let (_, target) = mirror.settled();
    assert!(target["opened"] >= 100, "{target:?}");
    leaks.assert_none();
}

#[test]
fn a_target_that_comes_back_empty_is_fed_again() {
    let mut mirror = Mirror::running();
    let leaks = mirror.watch_leaks();
    let mut clients = connect(&mirror, 10);
    requests(&mirror, &mut clients, "before");
    // What a restart of the host does: nothing is attached, no socket is left, another memcached.
    mirror.new_server.signal(Signal::SIGKILL);
    mirror.new.agent_ok("detach --all");
    requests(&mirror, &mut clients, "meanwhile");
    mirror.new_server = Memcached::start(&mirror.new, PORT);
    requests(&mirror, &mut clients, "not-armed-yet");
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT}"));
    assert_served_again(&mirror, &mut clients);
    leaks.assert_none();
    let target = mirror.new.settled("target");
    assert_eq!(target["adopted"], 10, "{target:?}");
}

#[test]
fn a_target_with_syn_cookies_is_served() {
    let mirror = Mirror::idle();
    // 2: for every connection, not only when the queue is full.
    mirror.new.shell("echo 2 >/proc/sys/net/ipv4/tcp_syncookies");
    mirror.start();
    let wire = mirror.watch_new();
    let mut clients = connect(&mirror, 20);
    for (i, client) in clients.iter_mut().enumerate() {
        client.set(&format!("cookie{i}"), &vec![b'c'; 1 << i.min(19)]);
    }
    mirror.assert_all_applied(wire);
    mirror.assert_same((0..20).map(|i| format!("cookie{i}")));
    let sent = mirror.new.shell("nstat -asz TcpExtSyncookiesRecv | tail -1");
    assert!(!sent.contains(" 0 "), "cookies were in use: {sent}");
}

#[test]
fn in_a_full_flow_table_the_idle_make_room() {
    const ROOM: u64 = 16;
    let mirror = Mirror::idle();
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT} --max-connections {ROOM}"));
    mirror.attach("");
    let leaks = mirror.watch_leaks();
    let connections = || mirror.new_server.clients(&mirror.new);
    let idle = connections();

    let open = |address| Connection::open(&mirror.client, address, PORT);
    let mut first: Vec<_> = (0..8).map(|_| open(mirror.old.v4())).collect();
    first.extend((0..8).map(|_| open(mirror.old.v6())));
    first.iter_mut().enumerate().for_each(|(i, client)| client.set(&format!("first{i}"), b"1"));
    let mut more: Vec<_> = (0..10).map(|_| mirror.connect()).collect();
    more.iter_mut().for_each(|client| client.set("no-room", b"1"));
    let (_, target) = mirror.settled();
    assert!(target["discarded_table_full"] >= 10, "nobody is idle: {target:?}");
    assert_eq!(target["evicted"], 0, "{target:?}");

    // The limit is ten seconds.
    std::thread::sleep(Duration::from_millis(10_500));
    let mut late = [open(mirror.old.v4()), open(mirror.old.v6())];
    late.iter_mut().enumerate().for_each(|(i, client)| client.set(&format!("late{i}"), b"1"));
    let (_, target) = mirror.settled();
    assert_eq!(target["evicted"], 2, "{target:?}");
    mirror.assert_same(["late0", "late1"]);
    wait::until("the sockets of those that went to end", || {
        (connections() == idle + ROOM).then_some(())
    });
    // Those who went are welcome again, when there is room.
    drop((more, late));
    assert_served_again(&mirror, &mut first);
    leaks.assert_none();
}
