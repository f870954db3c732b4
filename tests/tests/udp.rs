//! memcached over UDP.

use mirror_tests::{
    client::{frame, udp},
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
        assert_eq!(source["cloned"], 100, "{source:?}");
        assert_eq!(target["applied"], 100, "{target:?}");
        assert_eq!(target["reply_dropped_udp"], 100, "{target:?}");
        assert_eq!(wire.stop(), Vec::<String>::new(), "nothing leaves the new host");
        mirror.assert_same((0..100).map(|i| format!("u{i}")));
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
    assert_eq!(target["real_out"], 20, "{target:?}");
    assert_eq!(target["reply_dropped_udp"], 20, "{target:?}");
}
