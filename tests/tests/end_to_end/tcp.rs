//! Corners of TCP, as clients' stacks make them.

use std::{io::Read as _, net::Shutdown, os::fd::AsRawFd as _, time::Duration};

use mirror_tests::{client::set_request, mirror::Mirror, wait};
use nix::sys::{
    signal::Signal,
    socket::{MsgFlags, send},
};

const BIG: usize = 200_000;

/// Sets small and large values on fresh connections, and checks that the mirror lost nothing.
fn exercise(mirror: &Mirror, name: &str) {
    let wire = mirror.watch_new();
    for i in 0..5 {
        let mut client = mirror.connect();
        client.set(&format!("{name}-small{i}"), b"value");
        client.set(&format!("{name}-big{i}"), &vec![b'a' + i; BIG]);
        assert!(client.get(&format!("{name}-big{i}")).is_some(), "{name}");
    }
    mirror.assert_all_applied(wire);
    mirror.assert_same((0..5).flat_map(|i| [format!("{name}-small{i}"), format!("{name}-big{i}")]));
}

#[test]
fn clients_may_speak_any_dialect() {
    let mirror = Mirror::running();
    let server = mirror.old.v4().to_string();
    for (name, line) in [
        ("no-window-scale", "echo 0 >/proc/sys/net/ipv4/tcp_window_scaling"),
        ("no-sack", "echo 0 >/proc/sys/net/ipv4/tcp_sack"),
        ("no-timestamps", "echo 0 >/proc/sys/net/ipv4/tcp_timestamps"),
        ("ecn", "echo 1 >/proc/sys/net/ipv4/tcp_ecn"),
        ("mss-536", &format!("ip route add {server}/32 dev eth0 advmss 536 mtu lock 576")),
    ] {
        mirror.client.shell(line);
        exercise(&mirror, name);
    }
}

#[test]
fn what_is_cut_off_in_the_middle_of_a_value_is_never_applied() {
    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    let connections = || mirror.new_server.clients(&mirror.new);
    let idle = connections();
    for (key, by_reset) in [("by-reset", true), ("by-fin", false)] {
        let mut client = mirror.connect();
        let request = set_request(key, &[b'v'; 100_000]);
        client.send(&request[..60_000]);
        // What ends the connection must not overtake it at production either.
        std::thread::sleep(Duration::from_millis(100));
        if by_reset {
            client.reset();
        } else {
            drop(client);
        }
    }
    wait::until("the new server's connections to end", || (connections() == idle).then_some(()));
    mirror.assert_all_applied(wire);
    mirror.assert_same(["by-reset", "by-fin"]);
    mirror.assert_same_stats(&["cmd_set", "curr_items"]);
    assert_eq!(mirror.new_server.stat(&mirror.new, "curr_items"), 0);
}

#[test]
fn a_client_that_probes_productions_closed_window_loses_nothing() {
    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    let mut client = mirror.connect();
    client.set("before", b"1");
    mirror.old_server.signal(Signal::SIGSTOP);
    let mut sending = client.stream.try_clone().expect("a socket can be shared");
    let sender = std::thread::spawn(move || {
        use std::io::Write as _;
        for i in 0..8 {
            let request = set_request(&format!("probed{i}"), &[b'p'; 1_000_000]);
            sending.write_all(&request).expect("production takes it, in the end");
        }
    });
    // Probes come after a retransmission time-out, and then ever more seldom.
    std::thread::sleep(Duration::from_millis(1500));
    mirror.old_server.signal(Signal::SIGCONT);
    sender.join().expect("everything is sent");
    client.read_exact("STORED\r\n".len() * 8);
    mirror.assert_all_applied(wire);
    mirror.assert_same((0..8).map(|i| format!("probed{i}")));
}

#[test]
fn both_sides_may_close_at_once() {
    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    let connections = || mirror.new_server.clients(&mirror.new);
    let idle = connections();
    for i in 0..50 {
        let mut client = mirror.connect();
        client.set(&format!("close{i}"), b"1");
        client.send(b"quit\r\n");
        client.stream.shutdown(Shutdown::Write).expect("half of a connection can be closed");
        assert_eq!(client.stream.read(&mut [0; 1]).expect("the server closes"), 0);
    }
    wait::until("the new server's connections to end", || (connections() == idle).then_some(()));
    let target = mirror.assert_all_applied(wire);
    assert_eq!((target["opened"], target["closed"]), (50, 50), "{target:?}");
    mirror.assert_same((0..50).map(|i| format!("close{i}")));
}

#[test]
fn urgent_data_breaks_a_connection_and_it_is_adopted_anew() {
    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    let mut client = mirror.connect();
    client.set("before", b"1");
    let sent = send(client.stream.as_raw_fd(), b"!", MsgFlags::MSG_OOB);
    assert_eq!(sent, Ok(1), "a byte of urgent data");
    wait::until("the connection to be served again", || {
        client.set("after", b"1");
        std::thread::sleep(Duration::from_millis(50));
        mirror.new_server.inside(&mirror.new).get("after").map(|_| ())
    });
    let (source, target) = mirror.settled();
    assert!(source["skipped_urgent"] > 0, "{source:?}");
    assert_eq!((target["desynced"], target["adopted"]), (1, 1), "{target:?}");
    mirror.assert_same(["before", "after"]);
    assert_eq!(wire.stop(), Vec::<String>::new(), "nothing leaves the new host");
}

/// A TCP of a few lines that does what no kernel's does. Its address is nobody's, so that no kernel
/// answers for it. Arguments: its address, the server's, its port, the sequence number of its SYN,
/// how often it sends the SYN, how many bytes of data go with it, and the prefix of its keys.
const STRANGE_CLIENT: &str = r#"
import socket, struct, sys
own, server = sys.argv[1:3]
port, first, syns, early = map(int, sys.argv[3:7])
prefix = sys.argv[7].encode()
out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
back = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
back.settimeout(5)
ends = socket.inet_aton(own) + socket.inet_aton(server)

def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff

def say(seq, ack, flags, data=b""):
    fields = [port, 11211, seq % 2**32, ack % 2**32, 0x50, flags, 65535, 0, 0]
    pseudo = ends + struct.pack("!HH", 6, 20 + len(data))
    fields[7] = checksum(pseudo + struct.pack("!HHIIBBHHH", *fields) + data)
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0x4000, 64, 6, 0) + ends
    out.sendto(ip + struct.pack("!HHIIBBHHH", *fields) + data, (server, 0))

def hear():
    while True:
        packet = back.recv(65535)
        tcp = packet[(packet[0] & 15) * 4:struct.unpack("!H", packet[2:4])[0]]
        if packet[9] != 6 or struct.unpack("!HH", tcp[:4]) != (11211, port):
            continue
        seq, _, offset, flags = struct.unpack("!IIBB", tcp[4:14])
        length = len(tcp) - (offset >> 4) * 4 + (flags & 2) // 2
        if length:
            return seq + length

for _ in range(syns):
    say(first, 0, 2, b"x" * early)
ack, seq = hear(), first + 1
say(seq, ack, 16)
for i in range(10):
    request = prefix + b"%d 0 0 5\r\nvalue\r\n" % i
    say(seq, ack, 24, b"set " + request)
    seq += 4 + len(request)
    ack = hear()
say(seq, ack, 17)
"#;

#[test]
fn strange_clients_are_mirrored_like_any_other() {
    const NOBODY: &str = "10.77.0.200";
    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    let mac = mirror.client.mac();
    for host in [&mirror.old, &mirror.new] {
        host.ip(&["neigh", "add", NOBODY, "lladdr", &mac, "dev", "eth0"]);
    }
    for (port, first, syns, early, prefix) in [
        ("40001", "1000", "1", "0", "plain"),
        // Wraps in the middle of the first request.
        ("40002", "4294967286", "1", "0", "wrap"),
        ("40003", "5000", "3", "0", "syns"),
        // Data with the SYN, which a server without Fast Open leaves for later (RFC 9293, 3.10.7.4).
        ("40004", "9000", "1", "7", "early"),
    ] {
        let server = mirror.old.v4().to_string();
        let arguments = [STRANGE_CLIENT, NOBODY, &server, port, first, syns, early, prefix];
        mirror.client.output("python3", &[&["-c"], &arguments[..]].concat());
    }
    let target = mirror.assert_all_applied(wire);
    assert_eq!((target["opened"], target["desynced"]), (4, 0), "{target:?}");
    let keys = |prefix: &'static str| (0..10).map(move |i| format!("{prefix}{i}"));
    mirror.assert_same(["plain", "wrap", "syns", "early"].into_iter().flat_map(keys));
    assert_eq!(mirror.new_server.stat(&mirror.new, "curr_items"), 40);
}

#[test]
fn what_ends_a_connection_waits_for_what_the_new_server_has_yet_to_read() {
    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    let connections = || mirror.new_server.clients(&mirror.new);
    let idle = connections();
    mirror.new_server.signal(Signal::SIGSTOP);
    let keys = |name: &'static str| (0..50).map(move |i| format!("{name}{i}"));
    // A client that closes before the reply to its last request answers it with a reset.
    for (name, by_reset, last) in
        [("reset", true, ""), ("closed", false, ""), ("both", false, "get both1\r\n")]
    {
        let mut client = mirror.connect();
        keys(name).for_each(|key| client.set(&key, b"1"));
        client.send(last.as_bytes());
        if by_reset {
            client.reset();
        }
    }
    mirror.settled();
    mirror.new_server.signal(Signal::SIGCONT);
    wait::until("the new server's connections to end", || (connections() == idle).then_some(()));
    mirror.assert_all_applied(wire);
    mirror.assert_same(["reset", "closed", "both"].into_iter().flat_map(keys));
}
