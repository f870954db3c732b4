//! A source that copies each connection twice.

use std::net::SocketAddr;

use mirror_tests::craft::Packet;

use crate::{
    place::{client, v4, v6},
    source::{PORT, Source, requests},
    table::{Fate, Table},
    truncated::ETHERNET,
};

/// Each is the other's copy.
const PORTS: [u16; 2] = [40_000, 7232];

pub(crate) fn rows(source: &Source, table: &mut Table<'_>) {
    for server in [v4(PORT), v6(PORT)] {
        for body in requests() {
            let from = |port| SocketAddr::new(client(server).ip(), port);
            let [upper, lower] = PORTS.map(|port| Packet::new(from(port), server, body.clone()));
            copied(source, table, "alone", &upper, &[&lower, &upper]);
            copied(source, table, "again", &upper, &[&lower, &upper]);
            copied(source, table, "whose end is a copy's", &lower, &[&lower]);
            copied(source, table, "whose copy is another's end", &upper, &[&upper]);
        }
    }
}

/// What leaves, in this order; what does not has endpoint_conflict.
fn copied(source: &Source, table: &mut Table<'_>, what: &str, packet: &Packet, leave: &[&Packet]) {
    let (map, count) = (Source::map_of(packet), leave.len());
    let bytes = count * (Source::copy(packet, map).bytes().len() - ETHERNET);
    let mut counts = format!(
        "seen mirrored map{map}:copies={count} map{map}:sent={count} map{map}:sent_segments={count} \
         map{map}:sent_bytes={bytes}"
    );
    if count == 1 {
        counts += &format!(" map{map}:endpoint_conflict");
    }
    table.row(what, &source.ingress, packet.bytes(), &Fate::Passes, &counts);
    for expected in leave {
        let frame = source.place.wire.receive();
        let expected = Source::copy(expected, map).bytes();
        assert_eq!(frame[ETHERNET..], expected[ETHERNET..], "{what}");
    }
}
