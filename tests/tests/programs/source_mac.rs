//! A target that takes copies from one MAC address only.

use mirror_tests::craft::{Body, MACS, Packet};

use crate::{
    connection::Connection,
    marks::{AGAIN, HELD},
    place::{v4, v6},
    shapes,
    source::{datagram, requests, segment},
    table::{Fate, In, Table},
    target::{OTHER, PORT, Target, sealed},
};

/// Which it is: that of the crafted packets.
pub(crate) fn mac() -> String {
    MACS[6..].iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

pub(crate) fn rows(target: &Target, table: &mut Table<'_>) {
    for body in requests() {
        for (what, packet) in shapes::around(&body, PORT) {
            strangers(target, table, &what, &packet);
        }
    }
    for (what, packet) in shapes::around(&Body::Tcp(segment()), PORT) {
        marked(target, table, &what, &packet);
    }
    // A stranger does not learn which ports are served.
    for (what, packet) in shapes::around(&Body::Tcp(segment()), OTHER) {
        let frame = from_elsewhere(&sealed(&packet), 0);
        let counts = "arrived discarded_port";
        table.row(&what, &target.ingress, frame, &Fate::Dropped, counts);
    }
    for server in [v4(PORT), v6(PORT)] {
        Connection::new(target, server).shakes_hands(table);
    }
    for (what, packet) in shapes::around(&Body::Udp(datagram()), PORT) {
        let fate = Fate::Becomes(packet.bytes(), 0);
        table.row(&what, &target.ingress, sealed(&packet).bytes(), &fate, "arrived applied");
    }
}

/// The frame from a MAC address that differs in one bit.
fn from_elsewhere(packet: &Packet, bit: usize) -> Vec<u8> {
    let mut frame = packet.bytes();
    frame[6 + bit / 8] ^= 1 << (bit % 8);
    frame
}

fn strangers(target: &Target, table: &mut Table<'_>, what: &str, packet: &Packet) {
    for bit in [0, 17, 47] {
        let what = format!("{what}, another MAC address by bit {bit}");
        let frame = from_elsewhere(&sealed(packet), bit);
        let counts = "arrived discarded_source_mac";
        table.row(&what, &target.ingress, frame, &Fate::Dropped, counts);
        // A direct client may have any.
        let frame = from_elsewhere(packet, bit);
        table.row(&what, &target.ingress, frame, &Fate::Passes, "direct_in");
    }
}

/// A segment that says that it was here before is no more welcome.
fn marked(target: &Target, table: &mut Table<'_>, what: &str, packet: &Packet) {
    let frame = from_elsewhere(&sealed(packet), 0);
    let held = In::marked(frame.clone(), HELD);
    let counts = "released discarded_source_mac";
    table.row(&format!("{what}, held"), &target.ingress, held, &Fate::Dropped, counts);
    let again = In::marked(frame, AGAIN);
    let counts = "discarded_source_mac";
    table.row(&format!("{what}, again"), &target.ingress, again, &Fate::Dropped, counts);
    table.never_arrived();
}
