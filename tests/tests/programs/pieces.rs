//! The path to a target takes less than a segment has: the copy leaves in pieces, each a finished copy.

use mirror_tests::craft::{ACK, Body, Datagram, FIN, PSH, Packet, RST, SYN, Segment};

use crate::{
    marks::{PIECE, SINGLE},
    place::{client, target, v4, v6},
    shapes,
    source::{PORT, Source, datagram, segment},
    source_copies::clone,
    table::{Fate, Table},
};

/// What the routes to targets take.
const MTU: usize = 1300;

pub(crate) fn rows(source: &Source, table: &mut Table<'_>) {
    let host = &source.place.host;
    let ways = [v4(0), v6(0)].map(|like| target(like).to_string());
    let mtu = MTU.to_string();
    for way in &ways {
        host.ip(&["route", "replace", way, "dev", "eth0", "mtu", "lock", &mtu]);
    }
    for (what, packet) in shapes::around(&Body::Tcp(data(3200, ACK | PSH | FIN)), PORT) {
        cut(source, table, &what, &packet);
    }
    for to in [v4(PORT), v6(PORT)] {
        lengths(source, table, Packet::tcp(client(to), to, data(0, ACK | PSH)));
        flags(source, table, &Packet::tcp(client(to), to, data(2000, ACK)));
        whole(source, table, &Packet::tcp(client(to), to, data(2000, ACK)));
        without_a_next_hop(source, table, &Packet::tcp(client(to), to, data(3200, ACK)));
    }
    nothing_is_cut(source, table);
    for way in &ways {
        host.ip(&["route", "del", way, "dev", "eth0", "mtu", "lock", &mtu]);
    }
}

/// A segment whose bytes differ from each other.
fn data(length: usize, flags: u8) -> Segment {
    let payload = (0..length).map(|at| (at % 251) as u8).collect();
    Segment { flags, payload, ..segment() }
}

/// The pieces of a packet's copy.
fn pieces(packet: &Packet) -> Vec<Packet> {
    let copy = Source::copy(packet, Source::map_of(packet));
    let Body::Tcp(segment) = &copy.body else { panic!("no segment") };
    let headers = copy.ip_length() - segment.payload.len();
    let size = (MTU - headers) / 8 * 8;
    let count = segment.payload.len().div_ceil(size);
    let piece = |(number, payload): (usize, &[u8])| {
        let mut piece = copy.clone();
        piece.padding.clear();
        piece.id += u16::try_from(number).expect("few pieces");
        let segment = piece.segment();
        segment.payload = payload.to_vec();
        segment.seq = segment.seq.wrapping_add(u32::try_from(number * size).expect("a segment"));
        if number + 1 < count {
            segment.flags &= !(FIN | PSH);
        }
        piece
    };
    segment.payload.chunks(size).enumerate().map(piece).collect()
}

fn cut(source: &Source, table: &mut Table<'_>, what: &str, packet: &Packet) {
    let expected = pieces(packet);
    assert!(expected.len() > 1, "{what}: there is something to cut");
    let bytes: usize = expected.iter().map(Packet::ip_length).sum();
    let map = Source::map_of(packet);
    let counts = format!(
        "map{map}:sent map{map}:sent_segments={} map{map}:sent_bytes={bytes}",
        expected.len()
    );
    let input = clone(packet.bytes(), SINGLE | map);
    // What ends is what was cut, as it was.
    let fate = Fate::Redirected(Source::copy(packet, map).bytes(), PIECE);
    table.row(what, &source.copies, input, &fate, &counts);
    arrive(source, what, &expected);
}

/// The pieces are on the wire, to which link-layer address ever.
fn arrive(source: &Source, what: &str, expected: &[Packet]) {
    for (number, piece) in expected.iter().enumerate() {
        assert!(piece.ip_length() <= MTU, "{what}: piece {number} fits");
        let (seen, piece) = (source.place.wire.receive(), piece.bytes());
        assert_eq!(seen[12..], piece[12..], "{what}: piece {number}");
    }
}

/// From one byte too many on, and around the lengths at which there is one more.
fn lengths(source: &Source, table: &mut Table<'_>, mut packet: Packet) {
    let headers = packet.ip_length();
    let size = (MTU - headers) / 8 * 8;
    let most = MTU - headers;
    for length in [most + 1, most + 2, 1500, 2 * size - 1, 2 * size, 2 * size + 1, 3199] {
        packet.segment().payload = data(length, 0).payload;
        cut(source, table, &format!("{}: {length} bytes of data", packet.to), &packet);
        // What Ethernet does not need, but some cards leave.
        let padded = Packet { padding: vec![0xee; 6], ..packet.clone() };
        cut(source, table, &format!("{}: {length} bytes, padded", packet.to), &padded);
    }
    // Its sum has to be made of what comes around.
    packet.segment().seq = u32::MAX - 700;
    cut(source, table, "numbers that wrap", &packet);
}

fn flags(source: &Source, table: &mut Table<'_>, packet: &Packet) {
    for flags in [0, ACK, ACK | PSH, ACK | FIN, ACK | PSH | FIN] {
        let mut packet = packet.clone();
        packet.segment().flags = flags;
        cut(source, table, &format!("{}: flags {flags:#x}", packet.to), &packet);
    }
    let mut packet = packet.clone();
    for options in [0, 40] {
        packet.segment().options = vec![1; options];
        let what = format!("{}: {options} bytes of options", packet.to);
        cut(source, table, &what, &packet);
    }
}

/// What is not cut is counted, and ends.
fn whole(source: &Source, table: &mut Table<'_>, packet: &Packet) {
    for flags in [SYN, SYN | ACK, RST, RST | ACK] {
        let mut packet = packet.clone();
        packet.segment().flags = flags;
        too_large(source, table, &format!("{}: flags {flags:#x}", packet.to), &packet);
    }
    let mut payload = datagram().payload;
    payload.resize(1400, b'x');
    let body = Body::Udp(Datagram { payload, ..Datagram::default() });
    let packet = Packet::new(packet.from, packet.to, body);
    too_large(source, table, &format!("{}: a datagram", packet.to), &packet);
}

fn too_large(source: &Source, table: &mut Table<'_>, what: &str, packet: &Packet) {
    let map = Source::map_of(packet);
    let fate = Fate::Redirected(Source::copy(packet, map).bytes(), 0);
    let counts = format!("map{map}:unsent_too_large");
    table.row(what, &source.copies, clone(packet.bytes(), SINGLE | map), &fate, &counts);
}

/// The kernel has the pieces wait, and sends them when it knows.
fn without_a_next_hop(source: &Source, table: &mut Table<'_>, packet: &Packet) {
    let map = Source::map_of(packet);
    source.place.host.ip(&["neigh", "del", &target(packet.to).to_string(), "dev", "eth0"]);
    let input = clone(packet.bytes(), SINGLE | map);
    let fate = Fate::Redirected(Source::copy(packet, map).bytes(), PIECE);
    let counts = format!("map{map}:unsent_next_hop");
    let what = format!("{}: no next hop", packet.to);
    table.row(&what, &source.copies, input, &fate, &counts);
    source.place.know(packet.to);
    arrive(source, &what, &pieces(packet));
}

/// Somebody else's packet that looks like a piece, when there is nothing that is cut.
fn nothing_is_cut(source: &Source, table: &mut Table<'_>) {
    let packet = Packet::tcp(client(v4(PORT)), v4(PORT), data(2000, ACK));
    let input = clone(packet.bytes(), PIECE);
    table.row("no piece", &source.copies, input, &Fate::Diverted, "copy_device_other");
}
