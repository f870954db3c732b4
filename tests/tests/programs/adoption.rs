//! Connections that are older than the mirror.

use mirror_tests::craft::{ACK, Body, FIN, PSH, Packet, RST, Segment};

use crate::{
    connection::{Connection, ISN, PRODUCTION},
    place::{v4, v6},
    shapes, synthetic_client,
    table::{Fate, Table},
    target::{PORT, Target},
};

pub(crate) fn rows(target: &Target, table: &mut Table<'_>) {
    for (_, headers) in shapes::around(&Body::Tcp(Segment::default()), PORT) {
        for padding in [0, 5] {
            let headers = Packet { padding: vec![0xee; padding], ..headers.clone() };
            let it = Connection::with_headers(target, &headers);
            adopted(&it, table, b"get a\r\n", b"get some_key\r\n");
        }
    }
    // Binary: a header without the key, which follows; the shortest of text.
    let mut binary = vec![0x80, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 3];
    binary.resize(24, 0);
    for server in [v4(PORT), v6(PORT)] {
        let short = b"replace k 0 0 1\r\nv\r\n";
        for request in [&b"mn\r\n"[..], b"quit\r\n", b"get k\r\n", b"incr n 1\r\n", short, &binary]
        {
            adopted(&Connection::new(target, server), table, b"get x\r\n", request);
        }
        not_adopted(target, server, table);
        followed(target, server, table);
        ended_unsynced(|| Connection::new(target, server), table);
    }
}

/// What the client sends after `before`, which the server has replied to.
fn next(it: &Connection<'_>, before: usize, payload: &[u8]) -> Packet {
    let before = u32::try_from(before).expect("a short request");
    let mut packet = it.data(1 + before, payload);
    packet.segment().ack = PRODUCTION.wrapping_add(5);
    packet
}

/// `request` begins a request for certain: the mirror opens the connection, and gives it to memcached.
pub(crate) fn adopted(it: &Connection<'_>, table: &mut Table<'_>, before: &[u8], request: &[u8]) {
    it.discarded(table, "the first segment", &it.data(1, before), "discarded_unsynced");
    let request = next(it, before.len(), request);
    let fate = Fate::Becomes(synthetic_client::syn_before(&request).bytes(), 0);
    // The request itself comes behind the SYN, and goes round until that is answered.
    let counts = "arrived adopted segment_injected ~held ~released";
    let what = format!("then {:?}", request.clone().segment().payload.escape_ascii().to_string());
    it.copied(table, &what, &request, &fate, counts);
    let mut syn_ack = it.syn_ack();
    syn_ack.segment().ack = ISN.wrapping_add(1 + u32::try_from(before.len()).expect("short"));
    it.acked_for_client(table, "the SYN-ACK", &syn_ack, 1, "applied ~held ~released");
}

/// A segment's payload, and how many bytes of replies the client has when it sends it.
type Sent<'a> = (u32, &'a [u8]);

/// What comes before the request is followed to the byte, over any number of segments.
fn followed(target: &Target, server: std::net::SocketAddr, table: &mut Table<'_>) {
    const EVIL: &[u8] = b"set evil 0 0 4\r\nEVIL\r\n";
    let value = [b"get b\r\nset good 0 0 44\r\n", EVIL].concat();
    let batch = b"get a\r\nget b\r\n";
    // Whether it is joined at the last.
    let streams: [(&str, &[Sent<'_>], bool); 7] = [
        (
            "a set in pieces",
            &[(0, b"set k 0 "), (0, b"0 4\r"), (0, b"\nab"), (0, b"cd\r\n"), (8, EVIL)],
            true,
        ),
        ("a set of meta", &[(0, b"ms k 3\r\n"), (0, b"abc\r\n"), (4, EVIL)], true),
        ("a command in a value", &[(0, &value), (5, EVIL)], false),
        ("the request behind the value", &[(0, &value), (5, EVIL), (5, b"\r\n"), (13, EVIL)], true),
        ("half of the replies", &[(0, batch), (5, EVIL)], false),
        ("all replies", &[(0, batch), (10, EVIL)], true),
        ("without a reply", &[(0, b"set k 0 0 1 noreply\r\n1\r\n"), (0, EVIL)], false),
    ];
    for (what, segments, joined) in streams {
        let it = Connection::new(target, server);
        let mut ahead = 1;
        for (number, (replied, payload)) in segments.iter().enumerate() {
            let mut packet = it.data(ahead, payload);
            packet.segment().ack = PRODUCTION.wrapping_add(*replied);
            if joined && number + 1 == segments.len() {
                let fate = Fate::Becomes(synthetic_client::syn_before(&packet).bytes(), 0);
                it.copied(
                    table,
                    what,
                    &packet,
                    &fate,
                    "arrived adopted segment_injected ~held ~released",
                );
                let mut syn_ack = it.syn_ack();
                syn_ack.segment().ack = ISN.wrapping_add(ahead);
                it.acked_for_client(table, "the SYN-ACK", &syn_ack, 1, "applied ~held ~released");
            } else {
                it.discarded(table, what, &packet, "discarded_unsynced");
            }
            ahead += u32::try_from(payload.len()).expect("a short segment");
        }
    }
}

/// Segments that do not begin a request for certain.
fn not_adopted(target: &Target, server: std::net::SocketAddr, table: &mut Table<'_>) {
    let before = b"get a\r\n";
    let request = b"get some_key\r\n";
    let mut row = |what: &str, before: &[u8], change: &dyn Fn(&mut Packet)| {
        let it = Connection::new(target, server);
        it.discarded(table, "the first segment", &it.data(1, before), "discarded_unsynced");
        let mut second = next(&it, before.len(), request);
        change(&mut second);
        it.discarded(table, what, &second, "discarded_unsynced");
    };
    row("behind no end of a line", b"get a", &|_| {});
    row("behind half an end of a line", b"get a\r", &|_| {});
    row("behind a hole", before, &|packet| packet.segment().seq += 1);
    row("over what was seen", before, &|packet| packet.segment().seq -= 1);
    row("before a reply", before, &|packet| packet.segment().ack = PRODUCTION);
    row("no request", before, &|packet| packet.segment().payload = b"VALUE a 0 1\r\n".to_vec());
    row("a request's beginning before padding", before, &|packet| {
        packet.segment().payload.truncate(2);
        packet.padding = b"t some_key\r\n and so on, to more than 24 bytes".to_vec();
    });
    for short in 1..4 {
        let what = format!("{short} bytes");
        row(&what, before, &|packet| packet.segment().payload.truncate(short));
    }
}

/// Connections that end before they are joined.
fn ended_unsynced<'a>(new: impl Fn() -> Connection<'a>, table: &mut Table<'_>) {
    for (what, flags, payload, counts) in [
        ("a FIN", ACK | FIN, &b""[..], "closed discarded_no_flow"),
        ("a FIN with data", ACK | PSH | FIN, b"quit\r\n", "closed discarded_unsynced"),
        ("a reset", RST, b"", "closed discarded_no_flow"),
    ] {
        let it = new();
        it.discarded(table, "the first segment", &it.data(1, b"get a\r\n"), "discarded_unsynced");
        it.discarded(table, "an ACK", &it.sent(ACK, 8, b""), "discarded_pure_ack");
        it.discarded(table, what, &it.sent(flags, 8, payload), counts);
        it.discarded(table, "a straggler", &it.data(1, b"get a\r\n"), "discarded_finished");
    }
}
