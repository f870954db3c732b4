//! ICMP errors of the new host: about what direct clients sent only.

use std::{io::ErrorKind, net::IpAddr};

use mirror_tests::{
    Host,
    client::{Connection, frame, udp},
    memcached::Memcached,
    mirror::{Mirror, PORT},
};

/// Served by both hosts, but on the new one without UDP.
const NO_UDP: u16 = 11300;

/// A host's address of either family.
fn address(host: &Host, v6: bool) -> IpAddr {
    if v6 { host.v6() } else { host.v4() }
}

#[test]
fn a_port_without_udp_is_unreachable_to_real_clients_only() {
    for v6 in [false, true] {
        let mut mirror = Mirror::idle();
        let real = mirror.lab.host("real");
        let _old_server = Memcached::start(&mirror.old, NO_UDP);
        let _new_server = Memcached::start_with(&mirror.new, NO_UDP, &["-U", "0"]);
        mirror.new.agent_ok(&format!("drop eth0 --port {NO_UDP}"));
        let (v4_target, v6_target) = (mirror.new.v4(), mirror.new.v6());
        mirror.old.agent_ok(&format!(
            "attach eth0 --map {NO_UDP}={v4_target}:{NO_UDP} --map {NO_UDP}=[{v6_target}]:{NO_UDP}"
        ));

        let leaks = mirror.watch_leaks();
        let mirrored = udp(&mirror.client, address(&mirror.old, v6), NO_UDP);
        for id in 0..3 {
            mirrored.send(&frame(id, 1, b"get a\r\n")).expect("a datagram can be sent");
            mirrored.recv(&mut [0; 100]).expect("production replies");
        }
        let (_, target) = mirror.settled();
        leaks.assert_none();
        assert_eq!(target["applied"], 3, "{target:?}");
        assert_eq!(target["reply_dropped_icmp"], 3, "{target:?}");

        // The same ids, and what is no request at all.
        for datagram in [frame(0, 1, b"get a\r\n"), b"?".to_vec()] {
            let direct = udp(&real, address(&mirror.new, v6), NO_UDP);
            direct.send(&datagram).expect("a datagram can be sent");
            let refused = direct.recv(&mut [0; 100]).expect_err("nobody listens");
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{refused}");
        }
        let (_, target) = mirror.settled();
        assert_eq!(target["reply_dropped_icmp"], 3, "{target:?}");
        assert_eq!(target["direct_out"], 1, "{target:?}");
    }
}

#[test]
fn a_refusal_of_copied_connections_is_told_to_real_clients_only() {
    for v6 in [false, true] {
        let mut mirror = Mirror::running();
        let real = mirror.lab.host("real");
        let family = if v6 { "-6" } else { "-4" };
        // A rule before that for this host's own addresses, as a firewall would reject.
        mirror.new.shell(&format!(
            "echo 1 >/proc/sys/net/ipv4/conf/eth0/forwarding
            ip {family} rule add pref 20 lookup local
            ip {family} rule del pref 0
            ip {family} rule add pref 10 iif eth0 ipproto tcp dport {PORT} prohibit"
        ));

        let leaks = mirror.watch_leaks();
        Connection::open(&mirror.client, address(&mirror.old, v6), PORT).set("a", b"1");
        let (_, target) = mirror.settled();
        leaks.assert_none();
        assert!(target["reply_dropped_icmp"] > 0, "{target:?}");

        let refused = real
            .run(|| std::net::TcpStream::connect((address(&mirror.new, v6), PORT)))
            .expect_err("the host refuses");
        assert_ne!(refused.kind(), ErrorKind::TimedOut, "{refused}");
        let (_, target) = mirror.settled();
        assert!(target["direct_in"] > 0, "{target:?}");
        assert_eq!(target["direct_out"], target["direct_in"], "{target:?}");
    }
}
