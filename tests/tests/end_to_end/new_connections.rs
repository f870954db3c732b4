//! Connections that are opened while the mirror runs: everything they do is done on the new server.

use std::{io::Read as _, net::Shutdown, time::Duration};

use mirror_tests::{
    client::{Connection, binary, set_request},
    mirror::{Mirror, PORT},
    wait,
};
use nix::sys::signal::Signal;

#[test]
fn classic_text_on_one_connection() {
    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    let mut client = mirror.connect();
    for i in 0..200 {
        client.set(&format!("k{i}"), format!("value {i}").as_bytes());
        assert!(client.get(&format!("k{i}")).is_some(), "k{i}");
    }
    assert!(client.ask("get k1 k2 nothing k3\r\n", "END\r\n").len() > 40, "a multi-get");
    assert_eq!(client.ask("delete k7\r\n", "\r\n"), b"DELETED\r\n");
    client.set("n", b"41");
    assert_eq!(client.ask("incr n 1\r\n", "\r\n"), b"42\r\n");
    assert_eq!(client.ask("append n 0 0 1\r\n0\r\n", "\r\n"), b"STORED\r\n");
    assert_eq!(client.ask("touch n 1000\r\n", "\r\n"), b"TOUCHED\r\n");
    assert_eq!(client.ask("flush_all 1000\r\n", "\r\n"), b"OK\r\n");

    mirror.assert_all_applied(wire);
    mirror.assert_same((0..200).map(|i| format!("k{i}")).chain(["n".to_owned()]));
    mirror.assert_same_stats(&["cmd_set", "cmd_touch", "cmd_flush", "curr_items", "bytes"]);
}

#[test]
fn meta_protocol() {
    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    let mut client = mirror.connect();
    for i in 0..50 {
        let reply = client.ask(format!("ms m{i} 5 T0\r\nhello\r\n"), "\r\n");
        assert_eq!(reply, b"HD\r\n", "m{i}");
    }
    assert_eq!(client.ask("mg m3 v\r\n", "hello\r\n"), b"VA 5\r\nhello\r\n");
    assert_eq!(client.ask("md m4\r\n", "\r\n"), b"HD\r\n");
    assert_eq!(
        client.ask("ma m9 N0 J7\r\nmn\r\n", "MN\r\n"),
        b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\nMN\r\n"
    );
    // Quiet commands, ended by a no-op.
    client.send(b"ms q1 1 q\r\na\r\nms q2 1 q\r\nb\r\nmn\r\n");
    assert_eq!(client.read_until(b"MN\r\n"), b"MN\r\n");

    mirror.assert_all_applied(wire);
    mirror.assert_same((0..50).map(|i| format!("m{i}")).chain(["q1".into(), "q2".into()]));
    mirror.assert_same_stats(&["cmd_set", "curr_items", "bytes"]);
}

#[test]
fn binary_protocol() {
    const GET: u8 = 0x00;
    const SET: u8 = 0x01;
    const DELETE: u8 = 0x04;
    const QUIT: u8 = 0x07;

    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    let mut client = mirror.connect();
    for i in 0..50 {
        client.send(&binary(SET, &[0; 8], &format!("b{i}"), format!("binary {i}").as_bytes()));
        let reply = client.read_exact(24);
        assert_eq!(reply[..2], [0x81, SET], "a reply to a set");
        assert_eq!(reply[6..8], [0, 0], "success");
    }
    client.send(&binary(GET, &[], "b7", b""));
    client.read_exact(24 + 4 + "binary 7".len());
    client.send(&binary(DELETE, &[], "b8", b""));
    client.read_exact(24);
    client.send(&binary(QUIT, &[], "", b""));
    client.read_exact(24);

    mirror.assert_all_applied(wire);
    mirror.assert_same((0..50).map(|i| format!("b{i}")));
    mirror.assert_same_stats(&["cmd_set", "curr_items", "bytes"]);
}

#[test]
fn pipelined_and_noreply_requests() {
    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    let mut client = mirror.connect();
    let mut burst = Vec::new();
    for i in 0..500 {
        burst.extend(set_request(&format!("p{i}"), b"pipelined"));
    }
    client.send(&burst);
    client.read_exact("STORED\r\n".len() * 500);
    let mut silent = Vec::new();
    for i in 0..500 {
        silent.extend(format!("set s{i} 0 0 6 noreply\r\nsilent\r\n").into_bytes());
    }
    client.send(&silent);
    assert_eq!(client.ask("version\r\n", "\r\n").get(..7), Some(b"VERSION".as_slice()));

    mirror.assert_all_applied(wire);
    mirror.assert_same((0..500).flat_map(|i| [format!("p{i}"), format!("s{i}")]));
    mirror.assert_same_stats(&["cmd_set", "curr_items", "bytes"]);
}

#[test]
fn values_from_nothing_to_one_mebibyte_on_fresh_connections() {
    // memcached's limit is on the item: key, header and value together.
    const SIZES: [usize; 12] =
        [0, 1, 2, 1000, 1460, 4096, 14_600, 65_535, 65_536, 262_144, 700_000, (1 << 20) - 512];
    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    for (i, size) in SIZES.into_iter().enumerate() {
        let value: Vec<u8> = (0..size).map(|at| (at * 31 + i) as u8).collect();
        let mut client = mirror.connect();
        client.set(&format!("v{i}"), &value);
        assert_eq!(client.get(&format!("v{i}")).as_ref(), Some(&value), "v{i}");
    }
    mirror.assert_all_applied(wire);
    mirror.assert_same((0..SIZES.len()).map(|i| format!("v{i}")));
    mirror.assert_same_stats(&["cmd_set", "curr_items", "bytes"]);
}

#[test]
fn copies_wait_for_a_server_that_pauses() {
    let mirror = Mirror::idle();
    // Or its receive buffer has room for all.
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT} --no-receive-buffer"));
    mirror.attach("");
    let wire = mirror.watch_new();
    let mut client = mirror.connect();
    client.set("before", b"1");
    mirror.new_server.signal(Signal::SIGSTOP);
    // Far more than a fresh socket buffers; the rest has to wait, for less than the limit.
    for i in 0..5 {
        client.set(&format!("pause{i}"), &vec![b'a' + i; 500_000]);
    }
    client.set("after", b"1");
    std::thread::sleep(Duration::from_millis(300));
    mirror.new_server.signal(Signal::SIGCONT);

    let target = mirror.assert_all_applied(wire);
    assert!(target["held"] > 0, "{target:?}");
    mirror
        .assert_same((0..5).map(|i| format!("pause{i}")).chain(["before".into(), "after".into()]));
}

#[test]
fn connections_are_open_on_the_new_server_once_they_speak() {
    const MANY: u64 = 1500;
    const SPEAK: usize = 300;
    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    let idle = mirror.new_server.clients(&mirror.new);
    let mut clients: Vec<_> = (0..MANY).map(|_| mirror.connect()).collect();
    wait::until("every connection to be accepted", || {
        (mirror.old_server.clients(&mirror.old) >= MANY).then_some(())
    });
    mirror.settled();
    assert_eq!(mirror.new_server.clients(&mirror.new), idle, "nobody has spoken");
    for (number, client) in clients.iter_mut().take(SPEAK).enumerate() {
        client.set(&format!("key{number}"), b"value");
    }
    mirror.settled();
    mirror.assert_copied((0..SPEAK).map(|number| format!("key{number}")));
    assert_eq!(mirror.new_server.clients(&mirror.new), idle + SPEAK as u64, "some have");
    drop(clients);
    wait::until("every connection to end", || {
        (mirror.new_server.clients(&mirror.new) == idle).then_some(())
    });
    mirror.assert_all_applied(wire);
}

#[test]
fn connections_end_as_their_client_ends_them() {
    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    let idle = mirror.new_server.clients(&mirror.new);
    let connections = || mirror.new_server.clients(&mirror.new);

    let mut quits = mirror.connect();
    quits.set("by-quit", b"1");
    quits.send(b"quit\r\n");
    assert_eq!(quits.stream.read(&mut [0; 1]).expect("the server closes"), 0);
    drop(quits);

    let mut fin = mirror.connect();
    fin.set("by-fin", b"1");
    drop(fin);

    let mut half = mirror.connect();
    half.send(&set_request("by-half-close", b"1"));
    half.stream.shutdown(Shutdown::Write).expect("half of a connection can be closed");
    assert_eq!(half.read_until(b"STORED\r\n"), b"STORED\r\n");
    assert_eq!(half.stream.read(&mut [0; 1]).expect("the server closes"), 0);

    let mut reset = mirror.connect();
    reset.set("by-reset", b"1");
    assert_eq!(mirror.old_server.clients(&mirror.old), idle + 1);
    wait::until("the new server to have the same connection", || {
        (connections() == idle + 1).then_some(())
    });
    reset.reset();

    wait::until("the new server's connections to end", || (connections() == idle).then_some(()));
    let target = mirror.assert_all_applied(wire);
    assert_eq!(target["opened"], 4);
    assert_eq!(target["closed"], 4, "{target:?}");
    mirror.assert_same(["by-quit", "by-fin", "by-half-close", "by-reset"]);
}

#[test]
fn idle_connections_with_keepalive_stay_open() {
    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    let mut client = mirror.connect();
    client.keepalive(Duration::from_secs(1));
    client.set("before", b"1");
    std::thread::sleep(Duration::from_millis(3500));
    client.set("after", b"1");
    // Probes while counters are read make them differ.
    client.keepalive(Duration::from_secs(1000));
    mirror.assert_all_applied(wire);
    mirror.assert_same(["before", "after"]);
}

#[test]
fn a_client_port_that_is_used_again_is_a_new_connection() {
    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    for i in 0..20 {
        let mut client =
            Connection::open_from(&mirror.client, 40_000, mirror.old.v4(), mirror.port());
        client.set(&format!("again{i}"), b"1");
        client.reset();
    }
    let target = mirror.assert_all_applied(wire);
    assert_eq!(target["opened"], 20, "{target:?}");
    mirror.assert_same((0..20).map(|i| format!("again{i}")));
}
