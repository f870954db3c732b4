//! A source on a host with a server: only what the host takes is copied.

use std::{
    collections::BTreeSet,
    io::Write as _,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::AsRawFd as _,
};

use nix::libc;

use mirror_tests::{
    craft::{ACK, Body, FIN, PSH, Packet, RST, SYN, Segment},
    wait,
};

use crate::{
    place::{Place, client},
    source::{PORT, Source, datagram, segment},
    source_ingress::{copied_as, not_copied},
    table::Table,
};

/// All of it. Returns which counters moved.
pub(crate) fn fill() -> BTreeSet<String> {
    let source = Source::with_servers(Place::new());
    source.fill(&[closed, listening, connected, forwarded])
}

/// A server for as long as these are there, on the host that rows are about.
fn serve() -> (TcpListener, UdpSocket) {
    let tcp = TcpListener::bind(("::", PORT)).expect("a free port");
    (tcp, UdpSocket::bind(("::", PORT)).expect("a free port"))
}

/// The host's own addresses.
fn servers(source: &Source) -> [IpAddr; 2] {
    [source.place.host.v4(), source.place.host.v6()]
}

fn with_flags(from: SocketAddr, to: SocketAddr, flags: u8, payload: &[u8]) -> Packet {
    Packet::tcp(from, to, Segment { flags, payload: payload.to_vec(), ..segment() })
}

/// The packet's frame to the host, as a switch gives it to this host alone.
fn frame(source: &Source, packet: &Packet) -> Vec<u8> {
    let mut frame = packet.bytes();
    frame[..6].copy_from_slice(&source.place.host.mac_bytes());
    frame
}

fn copied(source: &Source, table: &mut Table<'_>, what: &str, packet: &Packet) {
    let copy = Source::copy(packet, Source::map_of(packet)).bytes();
    copied_as(source, table, what, frame(source, packet), copy);
}

fn left_out(source: &Source, table: &mut Table<'_>, what: &str, packet: &Packet, reason: &str) {
    not_copied(source, table, what, frame(source, packet), reason);
}

/// Segments of whatever kind that belong to no connection.
const STRAY: [(u8, &[u8]); 6] = [
    (ACK, b""),
    (ACK | PSH, b"get key\r\n"),
    (ACK | FIN, b""),
    (RST, b""),
    (RST | ACK, b""),
    (SYN | ACK, b""),
];

fn closed(source: &Source, table: &mut Table<'_>) {
    for server in servers(source) {
        let to = SocketAddr::new(server, PORT);
        let packet = with_flags(client(to), to, SYN, b"");
        left_out(source, table, "a port that is closed", &packet, "skipped_no_socket");
        let packet = Packet::new(client(to), to, Body::Udp(datagram()));
        left_out(source, table, "a port that is closed", &packet, "skipped_no_socket");
    }
}

fn listening(source: &Source, table: &mut Table<'_>) {
    let _server = serve();
    for server in servers(source) {
        let to = SocketAddr::new(server, PORT);
        copied(source, table, "a SYN", &with_flags(client(to), to, SYN, b""));
        let packet = Packet::new(client(to), to, Body::Udp(datagram()));
        copied(source, table, "a request by UDP", &packet);
        for (flags, payload) in STRAY {
            let what = format!("{to}: flags {flags:#x} of no connection");
            let packet = with_flags(client(to), to, flags, payload);
            left_out(source, table, &what, &packet, "skipped_no_socket");
        }
    }
}

/// The state of the server's end of a connection, as `ss` names it.
fn state(source: &Source, client: SocketAddr) -> String {
    let filter = format!("sport = :{PORT} and dport = :{}", client.port());
    let table = source.place.host.output("ss", &["-Htan", &filter]);
    table.split_whitespace().next().unwrap_or_default().to_owned()
}

fn until(source: &Source, client: SocketAddr, wanted: &str) {
    wait::until(wanted, || (state(source, client) == wanted).then_some(()));
}

/// The number behind all that this end of a connection sent (kernel: `TCP_QUEUE_SEQ`).
fn end_of(stream: &TcpStream) -> u32 {
    const REPAIR: i32 = 19;
    const REPAIR_QUEUE: i32 = 20;
    const QUEUE_SEQ: i32 = 21;
    const SEND_QUEUE: i32 = 2;
    /// Without telling the other end.
    const OFF: i32 = -1;
    const SIZE: libc::socklen_t = 4;

    let file = stream.as_raw_fd();
    let set = |option, value: i32| {
        // SAFETY: the kernel reads four bytes of a number.
        let done = unsafe {
            libc::setsockopt(file, libc::IPPROTO_TCP, option, (&raw const value).cast(), SIZE)
        };
        assert_eq!(done, 0, "option {option}");
    };
    set(REPAIR, 1);
    set(REPAIR_QUEUE, SEND_QUEUE);
    let (mut end, mut size) = (0u32, SIZE);
    // SAFETY: the kernel writes four bytes to a number.
    let done = unsafe {
        libc::getsockopt(file, libc::IPPROTO_TCP, QUEUE_SEQ, (&raw mut end).cast(), &raw mut size)
    };
    assert_eq!(done, 0, "where it is");
    set(REPAIR, OFF);
    end
}

/// From the first segment to the end of what is left of a connection. Its packets go by the loopback interface, where
/// the source is not.
fn connected(source: &Source, table: &mut Table<'_>) {
    let (listener, _) = serve();
    for server in servers(source) {
        let to = SocketAddr::new(server, PORT);
        let stream = TcpStream::connect(to).expect("somebody listens");
        let from = stream.local_addr().expect("it is connected");
        let (mut accepted, _) = listener.accept().expect("a connection");
        let end = end_of(&accepted);
        let part = |number: u32| {
            let ack = end.wrapping_sub(number);
            Packet::tcp(from, to, Segment { flags: ACK, ack, payload: vec![], ..segment() })
        };
        copied(source, table, "an acknowledgement of all that was sent", &part(0));
        left_out(source, table, "of a part", &part(5), "skipped_partial_ack");
        let mut copied = |what, flags, payload| {
            copied(source, table, what, &with_flags(from, to, flags, payload));
        };
        copied("a request", ACK | PSH, &b"get key\r\n"[..]);
        for (flags, payload) in STRAY.into_iter().filter(|(flags, _)| flags & SYN == 0) {
            if flags != ACK {
                copied("of a connection", flags, payload);
            }
        }
        // The server closes, and its client does not yet.
        accepted.write_all(b"END\r\n").expect("it is connected");
        drop(accepted);
        until(source, from, "FIN-WAIT-2");
        copied("an acknowledgement of a closed connection", ACK, b"");
        copied("a FIN of a closed connection", ACK | FIN, b"");
        let request = with_flags(from, to, ACK | PSH, b"get key\r\n");
        let reason = "skipped_no_socket";
        left_out(source, table, "a closed connection", &request, reason);
        drop(stream);
    }
}

/// Where the host passes packets on: a socket for any address is one for another host's, too.
fn forwarded(source: &Source, table: &mut Table<'_>) {
    let _server = serve();
    let host = &source.place.host;
    let bodies =
        || [Body::Udp(datagram()), Body::Tcp(Segment { flags: SYN, ..Segment::default() })];
    for server in servers(source) {
        let mut to = SocketAddr::new(server, PORT);
        to.set_ip(crate::place::target(to));
        for body in bodies() {
            let packet = Packet::new(client(to), to, body);
            copied(source, table, "a host that passes nothing on", &packet);
            let reason = "skipped_forwarded";
            not_copied(source, table, "another host's frame", packet.bytes(), reason);
        }
    }
    let switch = |on: &str| {
        for family in ["ipv4", "ipv6"] {
            host.shell(&format!("echo {on} >/proc/sys/net/{family}/conf/eth0/forwarding"));
        }
    };
    switch("1");
    for server in servers(source) {
        let own = SocketAddr::new(server, PORT);
        let other = SocketAddr::new(crate::place::target(own), PORT);
        for body in bodies() {
            let packet = Packet::new(client(other), other, body.clone());
            left_out(source, table, "on its way", &packet, "skipped_forwarded");
            copied(source, table, "for this host", &Packet::new(client(own), own, body));
        }
    }
    switch("0");
}
