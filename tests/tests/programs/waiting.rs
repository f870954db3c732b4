//! Copies that have to wait.

use std::{thread::sleep, time::Duration};

use mirror_tests::craft::{ACK, FIN, PSH, RST, SYN};

use crate::{
    connection::{Connection, ISN},
    marks::HELD,
    place::{v4, v6},
    puppet,
    table::{Fate, Table},
    target::{PORT, Target},
};

const REQUEST: &[u8] = b"get some_key\r\n";
/// Longer than copies wait for a window, a SYN-ACK or what is missing.
const TOO_LONG: Duration = Duration::from_millis(1100);
/// And, together with that, longer than it takes them to come back.
const LOST: Duration = Duration::from_millis(1000);

pub(crate) fn rows(target: &Target, table: &mut Table<'_>) {
    for server in [v4(PORT), v6(PORT)] {
        for_a_syn_ack(&Connection::new(target, server), table);
        for_the_window(&Connection::new(target, server), table);
        for_what_is_missing(&Connection::new(target, server), table);
    }
    let servers = [v4(PORT), v6(PORT)];
    let new = || servers.map(|server| Connection::new(target, server));
    // Connections by what they go through, all at once, as it takes its time.
    let (expire, reset, finish, reset_later, join, lost) =
        (new(), new(), new(), new(), new(), new());
    for it in [&expire, &reset, &finish, &reset_later, &join, &lost].into_iter().flatten() {
        it.opens(table);
        let flags = if finish.iter().any(|other| std::ptr::eq(other, it)) { FIN } else { 0 };
        let packet = it.sent(ACK | PSH | flags, 1, REQUEST);
        it.held(table, "a request", &packet, HELD);
    }
    for it in &reset {
        it.held(table, "a reset", &it.sent(RST, 15, b""), HELD);
    }
    sleep(TOO_LONG);
    for it in &finish {
        // What is held ends with it, and the socket, too.
        let last = it.sent(ACK | PSH | FIN, 1, REQUEST);
        let fate = Fate::Becomes(puppet::reset(&last, ISN.wrapping_add(1)).bytes(), 0);
        it.returned(table, "too late", (&last, HELD), &fate, "broken reset closed applied");
    }
    for it in &reset {
        let rst = it.sent(RST, 15, b"");
        let fate = Fate::Becomes(puppet::reset(&rst, ISN.wrapping_add(1)).bytes(), 0);
        it.returned(table, "too late", (&rst, HELD), &fate, "broken reset closed applied");
    }
    for it in expire.iter().chain(&reset_later).chain(&join) {
        let counts = "broken discarded_hold_expired";
        it.returned(table, "too late", (&it.data(1, REQUEST), HELD), &Fate::Dropped, counts);
    }
    for it in &expire {
        // The puppet's socket is left over.
        let mut syn = it.syn();
        syn.segment().seq = 0x4000_0000;
        let fate = Fate::Becomes(puppet::reset(&syn, ISN.wrapping_add(1)).bytes(), 0);
        let counts = "arrived reset synthesized opened applied";
        it.copied(table, "another SYN", &syn, &fate, counts);
    }
    for it in &reset_later {
        let rst = it.sent(RST, 15, b"");
        let fate = Fate::Becomes(puppet::reset(&rst, ISN.wrapping_add(1)).bytes(), 0);
        it.copied(table, "the client's reset", &rst, &fate, "arrived reset closed applied");
    }
    for it in &join {
        let mut request = it.data(15, REQUEST);
        request.segment().ack = request.segment().ack.wrapping_add(5);
        it.discarded(table, "behind no line", &request, "discarded_unproven");
        let mut next = it.data(29, REQUEST);
        next.segment().ack = next.segment().ack.wrapping_add(10);
        // First a reset of the old socket; behind it, once again, the SYN and the request.
        let fate = Fate::Becomes(puppet::reset(&next, ISN.wrapping_add(1)).bytes(), 0);
        let counts = "arrived reset synthesized=2 adopted ~held ~returned";
        it.copied(table, "a proven boundary", &next, &fate, counts);
        let mut syn_ack = it.syn_ack();
        syn_ack.segment().ack = ISN.wrapping_add(29);
        it.reflected(table, "the SYN-ACK", &syn_ack, 1, "applied ~held ~returned");
    }
    sleep(LOST);
    for it in &lost {
        let next = it.data(15, REQUEST);
        it.held(table, "the next, when the first is lost", &next, HELD | 1);
        let first = it.data(1, REQUEST);
        let what = "the first, when it was given up";
        it.returned(table, what, (&first, HELD), &Fate::Dropped, "discarded_stale");
    }
}

fn for_a_syn_ack(it: &Connection<'_>, table: &mut Table<'_>) {
    it.opens(table);
    let (first, second) = (it.data(1, REQUEST), it.sent(ACK | PSH | FIN, 15, REQUEST));
    it.held(table, "a request", &first, HELD);
    it.held(table, "the next request", &second, HELD);
    it.returned(table, "unanswered", (&first, HELD), &Fate::Diverted, "held");
    it.reflected(table, "the SYN-ACK", &it.syn_ack(), 1, "");
    it.held(table, "one behind those that wait", &it.data(1, REQUEST), HELD);
    for epoch in [1, 2, 0xfff] {
        let stale = (&first, HELD | epoch);
        it.returned(table, "of another time", stale, &Fate::Dropped, "discarded_stale");
    }
    let fate = Connection::as_delivered(&first, 1);
    it.returned(table, "the first", (&first, HELD), &fate, "applied");
    let fate = Connection::as_delivered(&second, 1);
    it.returned(table, "the second", (&second, HELD), &fate, "applied");
    let ack = it.reply(ACK, 1, 30, b"");
    it.swallowed(table, "the server's ACK", &ack, "reply_dropped_ack");
    let counts = "discarded_duplicate";
    it.returned(table, "the third", (&first, HELD), &Fate::Dropped, counts);
}

fn for_the_window(it: &Connection<'_>, table: &mut Table<'_>) {
    it.opens(table);
    let mut syn_ack = it.syn_ack();
    syn_ack.segment().window = 10;
    it.reflected(table, "a SYN-ACK with a small window", &syn_ack, 1, "");
    let request = it.data(1, REQUEST);
    it.held(table, "a request", &request, HELD);
    let mut update = it.reply(ACK, 1, 1, b"");
    update.segment().window = 0;
    it.swallowed(table, "no window", &update, "reply_dropped_ack");
    it.returned(table, "no window", (&request, HELD), &Fate::Diverted, "held");
    // Scaled by seven.
    update.segment().window = 1;
    it.swallowed(table, "a window update", &update, "reply_dropped_ack");
    let fate = Connection::as_delivered(&request, 1);
    it.returned(table, "a window", (&request, HELD), &fate, "applied");
}

fn for_what_is_missing(it: &Connection<'_>, table: &mut Table<'_>) {
    it.shakes_hands(table);
    let (first, second) = (it.data(1, REQUEST), it.data(15, REQUEST));
    it.held(table, "the second request", &second, HELD);
    it.held(table, "the first request", &first, HELD);
    it.returned(table, "the second before the first", (&second, HELD), &Fate::Diverted, "held");
    let fate = Connection::as_delivered(&first, 1);
    it.returned(table, "the first", (&first, HELD), &fate, "applied");
    let fate = Connection::as_delivered(&second, 1);
    it.returned(table, "the second", (&second, HELD), &fate, "applied");

    // The 4-tuple is used again while copies of its past are on their way: they are stale.
    let third = it.data(43, REQUEST);
    it.held(table, "a request behind a hole", &third, HELD);
    let mut syn = it.sent(SYN, 0, b"");
    syn.segment().seq = 0x4000_0000;
    let fate = Fate::Becomes(puppet::reset(&syn, ISN.wrapping_add(29)).bytes(), 0);
    let counts = "arrived broken reset synthesized opened applied";
    it.copied(table, "another SYN", &syn, &fate, counts);
    it.returned(table, "of the past", (&third, HELD), &Fate::Dropped, "discarded_stale");
}
