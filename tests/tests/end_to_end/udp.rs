//! memcached over UDP.

use std::net::UdpSocket;

use mirror_tests::{
    client::{frame, set_request, udp},
    mirror::Mirror,
};

#[test]
fn single_datagrams_are_applied_and_replies_dropped() {
    for v6 in [false, true] {
        let mirror = Mirror::running();
        let wire = mirror.watch_new();
        let server = if v6 { mirror.old.v6() } else { mirror.old.v4() };
        let socket = udp(&mirror.client, server, mirror.port());
        let mut reply = [0; 1500];
        for i in 0..100u16 {
            let request = format!("set u{i} 0 0 3\r\nudp\r\n");
            socket.send(&frame(i, 1, request.as_bytes())).expect("a datagram can be sent");
            let n = socket.recv(&mut reply).expect("production replies");
            assert_eq!(&reply[..2], i.to_be_bytes(), "the request's id");
            assert_eq!(&reply[8..n], b"STORED\r\n");
        }
        let (source, target) = mirror.settled();
        assert_eq!(source["mirrored"], 100, "{source:?}");
        assert_eq!(target["applied"], 100, "{target:?}");
        assert_eq!(target["reply_dropped_udp"], 100, "{target:?}");
        assert_eq!(wire.stop(), Vec::<String>::new(), "nothing leaves the new host");
        mirror.assert_same((0..100).map(|i| format!("u{i}")));
    }
}

/// A value whose reply fits one datagram of memcached's, but not a small MTU.
const LARGE: usize = 1350;

#[test]
fn large_replies_end_here_where_the_mtu_cuts_them_into_fragments() {
    const ROUNDS: u16 = 20;

    for (v6, mtu, fragments) in [(false, "1300", 2), (false, "600", 3), (true, "1300", 2)] {
        let mirror = Mirror::idle();
        mirror.new.ip(&["link", "set", "eth0", "mtu", mtu]);
        mirror.start();
        for (server, host) in [(&mirror.old_server, &mirror.old), (&mirror.new_server, &mirror.new)]
        {
            server.inside(host).set("large", &[b'x'; LARGE]);
        }
        let (old, new) = if v6 {
            (mirror.old.v6(), mirror.new.v6())
        } else {
            (mirror.old.v4(), mirror.new.v4())
        };
        let mirrored = udp(&mirror.client, old, mirror.port());
        let direct = udp(&mirror.client, new, mirror.port());
        let get = |socket: &UdpSocket, id: u16| {
            let mut reply = [0; 1500];
            socket.send(&frame(id, 1, b"get large\r\n")).expect("a datagram can be sent");
            let n = socket.recv(&mut reply).expect("the server replies");
            assert_eq!(&reply[..2], id.to_be_bytes(), "the request's id");
            assert_eq!(
                &reply[8..n],
                format!("VALUE large 0 {LARGE}\r\n{}\r\nEND\r\n", "x".repeat(LARGE)).as_bytes()
            );
        };

        let leaks = mirror.watch_leaks();
        for id in 0..ROUNDS {
            get(&mirrored, id);
        }
        let (_, target) = mirror.settled();
        leaks.assert_none();
        let swallowed = u64::from(ROUNDS) * fragments;
        assert_eq!(target["applied"], u64::from(ROUNDS), "{target:?}");
        assert_eq!(target["reply_dropped_fragment"], swallowed, "MTU {mtu}: {target:?}");

        // A direct client at the same host, at the same time: its replies are all that leaves.
        let wire = mirror.watch_new();
        for id in 0..ROUNDS {
            get(&mirrored, id);
            get(&direct, id);
        }
        let (_, target) = mirror.settled();
        assert_eq!(target["reply_dropped_fragment"], 2 * swallowed, "MTU {mtu}: {target:?}");
        assert_eq!(target["direct_out"], u64::from(ROUNDS), "{target:?}");
        let seen = wire.stop();
        assert_eq!(seen.len() as u64, swallowed, "MTU {mtu}: {seen:?}");
    }
}

#[test]
fn requests_of_several_datagrams_are_skipped_and_counted() {
    let mirror = Mirror::running();
    let socket = udp(&mirror.client, mirror.old.v4(), mirror.port());
    for datagram in 0..3 {
        socket.send(&frame(datagram, 3, b"get a\r\n")).expect("a datagram can be sent");
    }
    let (source, target) = mirror.settled();
    assert_eq!(source["skipped_udp_multi"], 3, "{source:?}");
    assert_eq!(target["arrived"], 0, "{target:?}");
}

#[test]
fn fragments_are_skipped_and_counted() {
    let mirror = Mirror::running();
    let socket = udp(&mirror.client, mirror.old.v4(), mirror.port());
    socket.send(&frame(1, 1, &[b'x'; 4000])).expect("a datagram can be sent");
    let (source, target) = mirror.settled();
    assert_eq!(source["skipped_fragment"], 3, "{source:?}");
    assert_eq!(target["arrived"], 0, "{target:?}");
}

#[test]
fn real_clients_get_replies_to_requests_in_fragments() {
    let mirror = Mirror::running();
    for server in [mirror.new.v4(), mirror.new.v6()] {
        let direct = udp(&mirror.client, server, mirror.port());
        let set = set_request("large", &[b'x'; 4000]);
        direct.send(&frame(1, 1, &set)).expect("a datagram can be sent");
        let mut reply = [0; 1500];
        let n = direct.recv(&mut reply).expect("the new server replies");
        assert_eq!(&reply[8..n], b"STORED\r\n");
    }
    let (_, target) = mirror.settled();
    assert_eq!((target["direct_in"], target["direct_out"]), (2, 2), "{target:?}");
}

#[test]
fn real_clients_of_the_new_server_get_their_replies() {
    let mirror = Mirror::running();
    // From the mirrored client's own address and port, too.
    let mirrored = udp(&mirror.client, mirror.old.v4(), mirror.port());
    let direct = udp(&mirror.client, mirror.new.v4(), mirror.port());
    let mut reply = [0; 1500];
    for i in 0..20u16 {
        mirrored.send(&frame(i, 1, b"set a 0 0 1\r\n1\r\n")).expect("a datagram can be sent");
        mirrored.recv(&mut reply).expect("production replies");
        direct.send(&frame(i, 1, b"version\r\n")).expect("a datagram can be sent");
        let n = direct.recv(&mut reply).expect("the new server replies");
        assert!(reply[8..n].starts_with(b"VERSION"), "{:?}", &reply[..n]);
    }
    let (_, target) = mirror.settled();
    assert_eq!(target["direct_out"], 20, "{target:?}");
    assert_eq!(target["reply_dropped_udp"], 20, "{target:?}");
}
