//! `guard`: nothing of a new memcached arrives, whatever it sends, and everything else does.

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr, TcpStream},
    time::Duration,
};

use mirror_tests::{
    Host, Lab,
    client::{Connection, frame, udp},
    foreign::{Counter, Dispatcher},
    memcached::Memcached,
    mirror::PORT,
    wait,
};

/// Where nobody listens.
const CLOSED: u16 = 11998;
/// Not guarded.
const OPEN: u16 = 11999;

/// Waits until the guard dropped something for this reason.
fn dropped(host: &Host, reason: &str) {
    wait::until(reason, || (host.counters("guard")[reason] > 0).then_some(()));
}

fn address(host: &Host, v6: bool) -> IpAddr {
    if v6 { host.v6() } else { host.v4() }
}

#[test]
fn nothing_of_a_guarded_memcached_arrives() {
    for (mode, v6) in [("native", false), ("native", true), ("generic", false), ("generic", true)] {
        let mut lab = Lab::new();
        let (client, other, new) = (lab.host("client"), lab.host("other"), lab.host("new"));
        let _server = Memcached::start(&new, PORT);
        let _open = Memcached::start(&new, OPEN);
        let _elsewhere = Memcached::start(&other, PORT);
        let target = address(&new, v6);
        let mut older = Connection::open(&client, target, PORT);
        older.set("key", &[b'v'; 1300]);

        let from = |port| SocketAddr::new(target, port);
        let guard = format!("guard eth0 --server {} --server {}", from(PORT), from(CLOSED));
        let said = client.agent_ok(&format!("{guard} --mode {mode}"));
        assert!(said.contains(&format!("({mode} XDP)")), "{said}");

        // Connections that exist, and new ones: the SYN-ACK is dropped.
        older.send(b"get key\r\n");
        dropped(&client, "dropped_tcp");
        let connect = |port| {
            client.run(|| TcpStream::connect_timeout(&from(port), Duration::from_millis(300)))
        };
        assert_eq!(connect(PORT).expect_err("no answer").kind(), ErrorKind::TimedOut);
        assert_eq!(connect(CLOSED).expect_err("no reset").kind(), ErrorKind::TimedOut);
        dropped(&client, "dropped_tcp_reset");

        // Datagrams, in one piece, in several, and what says that nobody is there.
        let datagram = udp(&client, target, PORT);
        datagram.send(&frame(1, 1, b"get nothing\r\n")).expect("a datagram can be sent");
        dropped(&client, "dropped_udp");
        new.ip(&["link", "set", "eth0", "mtu", "1280"]);
        datagram.send(&frame(2, 1, b"get key\r\n")).expect("a datagram can be sent");
        dropped(&client, "dropped_fragment");
        let nobody = udp(&client, target, CLOSED);
        nobody.send(&frame(3, 1, b"get key\r\n")).expect("a datagram can be sent");
        dropped(&client, "dropped_icmp");
        for socket in [&datagram, &nobody] {
            socket.set_nonblocking(true).expect("a socket");
            let error = socket.recv(&mut [0; 100]).expect_err("nothing arrives");
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
        }

        // Another port, another host, and a host without a guard.
        Connection::open(&client, target, OPEN).set("key", b"value");
        Connection::open(&client, address(&other, v6), PORT).set("key", b"value");
        assert!(Connection::open(&other, target, PORT).get("key").is_some());

        let counters = client.counters("guard");
        let status = client.agent_ok("status");
        assert!(status.contains(&format!("drops what {} sends", from(PORT))), "{status}");
        assert!(status.contains(&format!("{mode} XDP")), "{status}");
        // In place, and not by another mode.
        assert!(client.agent_ok(&guard).contains("nothing changed"));
        let another = if mode == "native" { "generic" } else { "native" };
        let said = client.agent_refuses(&format!("{guard} --mode {another}"));
        assert!(said.contains(&format!("attached in {mode} mode")), "{said}");
        assert!(client.counters("guard")["seen"] >= counters["seen"], "counters stay");
        client.settled("guard");

        client.agent_ok("detach eth0");
        // The kernel takes a program off when it has the time.
        wait::until("an interface without a program", || {
            (!client.output("ip", &["link", "show", "eth0"]).contains("xdp")).then_some(())
        });
        assert!(!client.bpffs().join("mirror-agent").exists());
        // memcached's TCP tries again.
        older.read_until(b"END\r\n");
        assert_eq!(connect(CLOSED).expect_err("a reset").kind(), ErrorKind::ConnectionRefused);
    }
}

#[test]
fn xdp_programs_of_others_are_named_and_stay() {
    let mut lab = Lab::new();
    let (host, new) = (lab.host("host"), lab.host("new"));
    let _server = Memcached::start(&new, PORT);
    let guard = format!("guard eth0 --server {}:{PORT}", new.v4());
    for mode in ["auto", "native", "generic"] {
        let counter = Counter::xdp(&host);
        let said = host.agent_refuses(&format!("{guard} --mode {mode}"));
        assert!(said.contains(&format!("program {}", counter.id())), "{said}");
        let before = counter.read();
        Connection::open(&host, new.v4(), PORT).get("key");
        assert!(counter.read() > before, "it still runs");
        assert!(!host.bpffs().join("mirror-agent").exists());
    }
    let dispatcher = Dispatcher::xdp(&host);
    let said = host.agent_refuses(&guard);
    assert!(said.contains("libxdp's dispatcher"), "{said}");
    drop(dispatcher);
    host.agent_ok(&guard);
}

#[test]
fn a_guard_outlives_its_interface_and_says_so() {
    let mut lab = Lab::new();
    let (host, new) = (lab.host("host"), lab.host("new"));
    host.agent_ok(&format!("guard eth0 --server {}:{PORT}", new.v4()));
    host.ip(&["link", "del", "eth0"]);
    assert!(host.agent_ok("status").contains("interface is gone"));
    host.agent_ok("detach eth0");
    assert!(!host.bpffs().join("mirror-agent").exists());
}
