//! Clients that send their first request with the SYN (TCP Fast Open, RFC 7413).

use mirror_tests::{
    client::{Connection, set_request},
    mirror::{Mirror, PORT},
};

const CLIENTS: usize = 20;

/// Requests that a host's TCP took from a SYN.
fn taken_from_a_syn(mirror: &Mirror) -> usize {
    let line = mirror.old.shell("nstat -asz TcpExtTCPFastOpenPassive | tail -1");
    let count = line.split_whitespace().nth(1).expect("a name, a number");
    count.parse().expect("a number")
}

#[test]
fn the_first_requests_arrive() {
    let mut mirror = Mirror::idle();
    // Client and server; the server for listeners that do not ask for it, as memcached's do not.
    mirror.old.shell("echo 0x403 >/proc/sys/net/ipv4/tcp_fastopen");
    mirror.client.shell("echo 1 >/proc/sys/net/ipv4/tcp_fastopen");
    mirror.restart_old(&[]);
    mirror.start();
    let open = || Connection::open_fast(&mirror.client, mirror.old.v4(), PORT);
    // Which brings the cookie.
    open().set("cookie", b"value");
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| open()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        let request = set_request(&format!("first{number}"), b"value");
        assert_eq!(client.ask(request, "\r\n"), b"STORED\r\n");
        client.set(&format!("second{number}"), b"value");
    }
    assert_eq!(taken_from_a_syn(&mirror), CLIENTS, "production took requests from SYNs");
    mirror.settled();
    mirror.assert_copied(["cookie"]);
    let keys = |name: &'static str| (0..CLIENTS).map(move |number| format!("{name}{number}"));
    mirror.assert_copied(keys("first").chain(keys("second")));
}
