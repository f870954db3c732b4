//! A target with room for two connections: the one that was idle the longest makes room.

use std::{net::SocketAddr, time::Duration};

use mirror_tests::{
    craft::{ACK, PSH, Packet},
    flows,
};

use crate::{
    connection::{Connection, ISN},
    place::{v4, v6},
    synthetic_client,
    table::{Fate, Table},
    target::{PORT, Target},
    teardown::teardown,
};

const REQUEST: &[u8] = b"get some_key\r\n";
/// Longer than a connection may be idle while others need room.
pub(crate) const IDLE: Duration = Duration::from_secs(11);

/// Longer than a CPU does not look when it found none that was.
pub(crate) const PAUSE: Duration = Duration::from_millis(40);

pub(crate) fn rows(target: &Target, table: &mut Table<'_>) {
    for (server, other) in [(v4(PORT), v6(PORT)), (v6(PORT), v4(PORT))] {
        of_one_family(target, table, server, other);
    }
}

fn of_one_family(target: &Target, table: &mut Table<'_>, server: SocketAddr, other: SocketAddr) {
    let all_idle = || {
        flows::age(&target.place.host, IDLE);
        std::thread::sleep(PAUSE);
    };
    let [first, second, third, fourth, fifth, sixth] =
        std::array::from_fn(|_| Connection::new(target, server));
    first.shakes_hands(table);
    second.discarded(table, "watched", &second.data(1, REQUEST), "discarded_unsynced");
    third.noted(table, "a SYN needs no room", &third.syn());
    third.discarded(table, "none is idle", &third.opener(), "discarded_table_full");
    let ack = third.sent(ACK, 1, b"");
    third.discarded(table, "what needs no room", &ack, "discarded_pure_ack");

    all_idle();
    is_not_idle(&second, table);
    table.one_goes_round();
    makes_room(&first, &third, table, &third.opener(), 1, "opened");
    let late = first.reply(ACK | PSH, 1, 1, b"END\r\n");
    first.ended(table, "a reply of the evicted", &late);
    third.is_served(table);

    all_idle();
    is_not_idle(&third, table);
    makes_room_without_a_socket(&fourth, table);

    let held = third.data(43, REQUEST);
    let mark = third.held(table, "behind a hole", &held);
    is_not_idle(&fourth, table);
    all_idle();
    // Both are idle, and the third is longer.
    makes_room(
        &third,
        &fifth,
        table,
        &fifth.data(1, REQUEST),
        1,
        "segment_injected discarded_unsynced",
    );
    third.returned(table, "evicted meanwhile", (&held, mark), &Fate::Dropped, "discarded_stale");

    fifth.really_sent(table, "a SYN of a real client", &fifth.syn(), "direct_in direct_takeover");
    all_idle();
    is_not_idle(&fourth, table);
    makes_room_without_a_socket(&sixth, table);
    let reply = fifth.syn_ack().bytes();
    fifth.replied(table, "a reply to the real client", reply, &Fate::Passes, "direct_out");

    all_idle();
    let alien = Connection::new(target, other);
    // A packet of one family cannot become a reset of the other.
    alien.noted(table, "the SYN", &alien.syn());
    let full = "discarded_table_full";
    alien.discarded(table, "idle ones of the other family", &alien.opener(), full);
    for it in [&fourth, &sixth] {
        it.aborted(table, "teardown", &teardown(it), 1);
    }
}

/// A copy of the connection comes.
fn is_not_idle(it: &Connection<'_>, table: &mut Table<'_>) {
    it.discarded(table, "not idle", &it.sent(ACK, 1, b""), "discarded_pure_ack");
}

/// `packet` of the connection `new` becomes the reset of `idle`; it comes once more behind that.
fn makes_room(
    idle: &Connection<'_>,
    new: &Connection<'_>,
    table: &mut Table<'_>,
    packet: &Packet,
    ahead: u32,
    then: &str,
) {
    let reset = synthetic_client::reset(packet, ISN.wrapping_add(ahead));
    let fate = Fate::Becomes(Packet { from: idle.client(), ..reset }.bytes(), 0);
    let counts = format!("arrived evicted closed reset {then}");
    new.copied(table, "in place of an idle one", packet, &fate, &counts);
}

/// The first byte of the connection `new` takes the place of one that memcached has no socket of.
fn makes_room_without_a_socket(new: &Connection<'_>, table: &mut Table<'_>) {
    new.noted(table, "the SYN", &new.syn());
    let what = "in place of one without a socket";
    table.one_goes_round();
    new.copied(table, what, &new.opener(), &Fate::Dropped, "arrived evicted closed opened");
    let ack = new.sent(ACK, 1, b"");
    new.discarded(table, "an ACK before the SYN-ACK", &ack, "discarded_pure_ack");
    new.is_served(table);
}
