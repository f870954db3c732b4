//! Commands that change a server and not its items: meant for the old host, and kept from the new one.

use std::{io::Read as _, net::UdpSocket};

use mirror_tests::{
    Host,
    client::{Connection, binary, frame, udp},
    memcached::Memcached,
    mirror::Mirror,
};

/// Commands of an administrator's, and what memcached replies at the end.
const ADMINISTRATION: [(&str, &str); 7] = [
    ("verbosity 1\r\n", "OK\r\n"),
    ("cache_memlimit 300\r\n", "OK\r\n"),
    ("slabs automove 0\r\n", "OK\r\n"),
    ("lru mode flat\r\n", "OK\r\n"),
    ("lru_crawler sleep 500\r\n", "OK\r\n"),
    ("lru_crawler disable\r\n", "OK\r\n"),
    ("stats reset\r\n", "RESET\r\n"),
];

/// What the server says of itself that these commands change.
fn settings(server: &Memcached, host: &Host) -> Vec<String> {
    const CHANGED: [&str; 6] = [
        "STAT maxbytes ",
        "STAT verbosity ",
        "STAT slab_automove ",
        "STAT lru_segmented ",
        "STAT lru_crawler ",
        "STAT lru_crawler_sleep ",
    ];
    let reply = server.inside(host).ask("stats settings\r\n", "END\r\n");
    let lines = String::from_utf8(reply).expect("settings are text");
    let changed = |line: &&str| CHANGED.iter().any(|name| line.starts_with(name));
    let found: Vec<String> = lines.lines().filter(changed).map(str::to_owned).collect();
    assert_eq!(found.len(), CHANGED.len(), "{found:?}");
    found
}

fn set(connection: &mut Connection, key: &str) {
    connection.set(key, b"value");
}

#[test]
fn what_changes_a_server_is_kept_from_the_new_one_and_nothing_else_is() {
    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    let before = settings(&mirror.new_server, &mirror.new);
    assert_eq!(settings(&mirror.old_server, &mirror.old), before);
    let (mut one, mut other) = (mirror.connect(), mirror.connect());
    set(&mut other, "other");
    for (number, (command, reply)) in ADMINISTRATION.iter().enumerate() {
        set(&mut one, &format!("before{number}"));
        one.ask(command, reply);
        set(&mut one, &format!("behind{number}"));
    }
    set(&mut other, "another");

    let target = mirror.assert_all_applied(wire);
    let commands = ADMINISTRATION.len() as u64;
    assert_eq!(target["discarded_command"], commands, "{target:?}");
    // Each has a connection of its own behind it, which is joined at once.
    assert_eq!((target["adopted"], target["desynced"]), (commands, 0), "{target:?}");
    assert_eq!(settings(&mirror.new_server, &mirror.new), before);
    assert_ne!(settings(&mirror.old_server, &mirror.old), before);
    let keys = (0..ADMINISTRATION.len()).flat_map(|n| [format!("before{n}"), format!("behind{n}")]);
    mirror.assert_same(keys.chain(["other".into(), "another".into()]));
    mirror.assert_same_stats(&["curr_items"]);
    assert!(mirror.new_server.stat(&mirror.new, "cmd_set") >= 2 + 2 * commands, "no stats reset");
}

#[test]
fn the_new_server_stays_when_the_old_one_is_shut_down() {
    let mirror = Mirror::idle();
    let old_server = Memcached::start_with(&mirror.old, 11300, &["-A"]);
    let new_server = Memcached::start_with(&mirror.new, 11300, &["-A"]);
    let target = mirror.new.v4();
    mirror.new.agent_ok("drop eth0 --port 11300");
    mirror.old.agent_ok(&format!("attach eth0 --map 11300={target}:11300"));
    let mut connection = Connection::open(&mirror.client, mirror.old.v4(), 11300);
    set(&mut connection, "key");
    connection.send(b"shutdown\r\n");
    let closed = connection.stream.read(&mut [0]).expect("the server leaves in time");
    assert_eq!(closed, 0);
    drop(old_server);

    let target = mirror.new.settled("target");
    assert_eq!(target["discarded_command"], 1, "{target:?}");
    let mut inside = new_server.inside(&mirror.new);
    assert_eq!(inside.get("key"), Some(b"value".to_vec()));
}

/// A value that looks like a command costs the request that it is in, and no more.
#[test]
fn a_value_that_is_such_a_command_is_nothing_worse_than_a_loss() {
    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    let mut connection = mirror.connect();
    set(&mut connection, "before");
    connection.send(b"set value 0 0 13\r\n");
    mirror.new.settled("target");
    connection.send(b"stats reset\r\n");
    mirror.new.settled("target");
    connection.send(b"\r\n");
    connection.read_until(b"STORED\r\n");
    for number in 0..8 {
        set(&mut connection, &format!("behind{number}"));
    }
    let (_, target) = mirror.settled();
    assert_eq!(target["discarded_command"], 1, "{target:?}");
    assert_eq!(target["adopted"], 1, "{target:?}");
    assert_eq!(wire.stop(), Vec::<String>::new(), "nothing leaves the new host");
    mirror.assert_same(["before", "behind6", "behind7"]);
    let mut inside = mirror.new_server.inside(&mirror.new);
    assert_eq!(inside.get("value"), None, "not with another value");
}

#[test]
fn flush_all_is_part_of_what_a_cache_holds_unless_it_is_kept_out() {
    const STORED: usize = 24;
    for (options, kept) in [("", false), ("--block-flush-all", true)] {
        let mirror = Mirror::idle();
        mirror.new.agent_ok(&format!("drop eth0 --port {} {options}", mirror.port()));
        mirror.attach("");
        let is_kept = |server: &Memcached, host| server.inside(host).get("key").is_some();
        let flushed = || {
            mirror.settled();
            assert!(!is_kept(&mirror.old_server, &mirror.old), "{options}");
            assert_eq!(is_kept(&mirror.new_server, &mirror.new), kept, "{options}");
        };
        let mut text = mirror.connect();
        set(&mut text, "key");
        text.ask("flush_all\r\n", "OK\r\n");
        flushed();
        let mut other = mirror.connect();
        other.send(&binary(0x01, &[0; 8], "key", b"value"));
        other.read_exact(STORED);
        other.send(&binary(0x08, &[], "", b""));
        other.read_exact(STORED);
        flushed();
        let (_, target) = mirror.settled();
        assert_eq!(target["discarded_command"], if kept { 2 } else { 0 }, "{target:?}");
    }
}

#[test]
fn all_commands_are_mirrored_on_request() {
    let mirror = Mirror::idle();
    mirror.new.agent_ok(&format!("drop eth0 --port {} --allow-admin-commands", mirror.port()));
    mirror.attach("");
    let wire = mirror.watch_new();
    let mut connection = mirror.connect();
    for (command, reply) in ADMINISTRATION {
        connection.ask(command, reply);
    }
    let target = mirror.assert_all_applied(wire);
    assert_eq!(target["discarded_command"], 0, "{target:?}");
    let old = settings(&mirror.old_server, &mirror.old);
    assert_eq!(settings(&mirror.new_server, &mirror.new), old);
}

#[test]
fn datagrams_are_looked_at_as_well() {
    let mirror = Mirror::running();
    let before = settings(&mirror.new_server, &mirror.new);
    let socket = udp(&mirror.client, mirror.old.v4(), mirror.port());
    for (id, request, reply) in
        [(1, &b"verbosity 1\r\n"[..], &b"OK\r\n"[..]), (2, b"set k 0 0 1\r\nv\r\n", b"STORED\r\n")]
    {
        assert_eq!(answer(&socket, id, request), reply);
    }
    let (_, target) = mirror.settled();
    assert_eq!((target["applied"], target["discarded_command"]), (1, 1), "{target:?}");
    assert_eq!(settings(&mirror.new_server, &mirror.new), before);
    mirror.assert_same(["k"]);
}

fn answer(socket: &UdpSocket, id: u16, request: &[u8]) -> Vec<u8> {
    let mut reply = [0; 1500];
    socket.send(&frame(id, 1, request)).expect("a datagram can be sent");
    let n = socket.recv(&mut reply).expect("production replies");
    reply[8..n].to_vec()
}
