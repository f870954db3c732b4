//! A source that sends each copy of a segment three times.

use mirror_tests::craft::{Body, Packet};

use crate::{
    marks::{self, SINGLE},
    place::{client, v4, v6},
    shapes,
    source::{FAN, PORT, Source, requests},
    source_copies::clone,
    table::{Fate, Table},
};

const TIMES: usize = 3;

pub(crate) fn rows(source: &Source, table: &mut Table<'_>) {
    for body in requests() {
        for (what, packet) in shapes::around(&body, PORT) {
            let map = Source::map_of(&packet);
            cloned(source, table, &what, &packet, &[map]);
            fanned_out(source, table, &what, &packet, &[map]);
            // What is for one map already is not cloned any more.
            let fate = Fate::Redirected(Source::copy(&packet, map).bytes(), 0);
            let input = clone(packet.bytes(), SINGLE | map);
            table.row(&what, &source.copies, input, &fate, &Source::sent(&packet, map, 1));
        }
        for (to, maps) in [(v4(FAN), &[3, 4][..]), (v6(FAN), &[5])] {
            let packet = Packet::new(client(to), to, body.clone());
            let what = format!("{to}, to {} targets", maps.len());
            cloned(source, table, &what, &packet, maps);
            fanned_out(source, table, &what, &packet, maps);
        }
    }
}

/// How often a copy is sent: a datagram that came twice would be applied twice.
fn times(packet: &Packet) -> usize {
    if matches!(packet.body, Body::Tcp(_)) { TIMES } else { 1 }
}

/// The counts of so many copies for a map.
fn counts(packet: &Packet, map: u32, number: usize) -> String {
    format!("map{map}:copies={number} ") + &Source::sent(packet, map, number)
}

/// At ingress: all copies leave.
fn cloned(source: &Source, table: &mut Table<'_>, what: &str, packet: &Packet, maps: &[u32]) {
    let times = times(packet);
    let of_maps: String = maps.iter().map(|map| counts(packet, *map, times)).collect();
    let expected = format!("seen mirrored {of_maps}");
    table.row(what, &source.ingress, packet.bytes(), &Fate::Passes, &expected);
    for _ in 0..times * maps.len() {
        source.place.wire.receive();
    }
}

/// At the copy device: the clone at hand is one of them.
fn fanned_out(source: &Source, table: &mut Table<'_>, what: &str, packet: &Packet, maps: &[u32]) {
    let (first, times) = (maps[0], times(packet));
    let of_map = |map: u32| {
        let copies = times - usize::from(map == first);
        format!("map{map}:copies={copies} ") + &Source::sent(packet, map, times)
    };
    let expected: String = maps.iter().map(|map| of_map(*map)).collect();
    let fate = Fate::Redirected(Source::copy(packet, first).bytes(), 0);
    let input = clone(packet.bytes(), marks::FAN | first);
    table.row(what, &source.copies, input, &fate, &expected);
    for _ in 0..times * maps.len() - 1 {
        source.place.wire.receive();
    }
}
