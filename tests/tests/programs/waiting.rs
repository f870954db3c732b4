//! Copies that have to wait, and what time does to connections.

use std::time::Duration;

use mirror_tests::{
    craft::{ACK, FIN, PSH, RST},
    flows,
};

use crate::{
    connection::{Connection, ISN},
    place::{v4, v6},
    synthetic_client,
    table::{Fate, Table},
    target::{PORT, Target},
};

const REQUEST: &[u8] = b"get some_key\r\n";
/// Longer than a copy of a copy takes.
const AGAIN: Duration = Duration::from_millis(100);
/// Longer than copies wait for one that is missing.
const GAP: Duration = Duration::from_millis(150);
/// Longer than a server takes to acknowledge.
const QUIET: Duration = Duration::from_millis(600);
/// Longer than copies wait for a window or a SYN-ACK.
const TOO_LONG: Duration = Duration::from_millis(1100);
/// Longer than it takes them to come back.
const LOST: Duration = Duration::from_millis(2100);

pub(crate) fn rows(target: &Target, table: &mut Table<'_>) {
    for server in [v4(PORT), v6(PORT)] {
        let it = || Connection::new(target, server);
        for_a_syn_ack(&it(), table);
        unanswered(&it(), table);
        for_the_window(&it(), table);
        for_what_is_missing(&it(), table);
        used_again(&it(), table);
        ended(&it(), table);
        behind_the_end(&it(), table);
        let pass = |time| flows::age(&target.place.host, time);
        sent_again(&it(), table, pass);
        not_taken(&it(), table, pass);
        missing_for_too_long(&it(), table, pass);
        inside_a_request(&it(), table, pass);
        dropped_behind(&it(), table, pass);
        too_late(&it(), table, pass);
        reset_later(&it(), table, pass);
        joined_again(&it(), table, pass);
        ends_too_late(it, table, pass);
        lost_on_the_way(&it(), table, pass);
    }
}

fn for_a_syn_ack(it: &Connection<'_>, table: &mut Table<'_>) {
    it.opens(table);
    let (first, second) = (it.data(1, REQUEST), it.sent(ACK | PSH | FIN, 15, REQUEST));
    let mark = it.held(table, "a request", &first);
    assert_eq!(it.held(table, "the next request", &second), mark, "the mark of the connection");
    it.returned(table, "unanswered", (&first, mark), &Fate::Diverted, "held");
    it.held(table, "the first again", &it.data(1, REQUEST));
    it.answered_by(table, "the SYN-ACK", &it.syn_ack());
    for other in [1, 2, 0xfff] {
        let stale = (&first, mark ^ other);
        it.returned(table, "of another time", stale, &Fate::Dropped, "discarded_stale");
    }
    let fate = Connection::as_delivered(&first, 1);
    it.returned(table, "the first", (&first, mark), &fate, "applied");
    let fate = Connection::as_delivered(&second, 1);
    it.returned(table, "the second", (&second, mark), &fate, "applied");
    let ack = it.reply(ACK, 1, 30, b"");
    it.swallowed(table, "the server's ACK", &ack, "reply_dropped_ack");
    let counts = "discarded_duplicate";
    it.returned(table, "the third", (&first, mark), &Fate::Dropped, counts);
}

fn for_the_window(it: &Connection<'_>, table: &mut Table<'_>) {
    it.opens(table);
    let mut syn_ack = it.syn_ack();
    syn_ack.segment().window = 10;
    it.answered_by(table, "a SYN-ACK with a small window", &syn_ack);
    let request = it.data(1, REQUEST);
    let mark = it.held(table, "a request", &request);
    let mut update = it.reply(ACK, 1, 1, b"");
    update.segment().window = 0;
    it.swallowed(table, "no window", &update, "reply_dropped_ack");
    it.returned(table, "no window", (&request, mark), &Fate::Diverted, "held");
    // Scaled by seven.
    update.segment().window = 1;
    it.swallowed(table, "a window update", &update, "reply_dropped_ack");
    let fate = Connection::as_delivered(&request, 1);
    it.returned(table, "a window", (&request, mark), &fate, "applied");
}

fn for_what_is_missing(it: &Connection<'_>, table: &mut Table<'_>) {
    it.shakes_hands(table);
    let (first, second) = (it.data(1, REQUEST), it.data(15, REQUEST));
    let mark = it.held(table, "the second request", &second);
    it.returned(table, "the second before the first", (&second, mark), &Fate::Diverted, "held");
    it.comes_out(table, "it again", (&second, mark), &Fate::Diverted, "held");
    it.delivered(table, "the first request, though another waits", &first, 1);
    it.held(table, "the third request", &it.data(29, REQUEST));
    let fate = Connection::as_delivered(&second, 1);
    it.comes_out(table, "the second", (&second, mark), &fate, "applied");
    let third = it.data(29, REQUEST);
    let fate = Connection::as_delivered(&third, 1);
    it.returned(table, "the third", (&third, mark), &fate, "applied");
}

/// What the server does not acknowledge was dropped on the way to it.
fn dropped_behind(it: &Connection<'_>, table: &mut Table<'_>, pass: impl Fn(Duration)) {
    it.shakes_hands(table);
    it.delivered(table, "a request", &it.data(1, REQUEST), 1);
    pass(TOO_LONG);
    let counts = "desynced discarded_hold_expired";
    it.discarded(table, "the next, which it has no use for", &it.data(15, REQUEST), counts);
}

/// The inside of a request goes to TCP though something is missing before it.
fn inside_a_request(it: &Connection<'_>, table: &mut Table<'_>, pass: impl Fn(Duration)) {
    it.shakes_hands(table);
    it.asks(table, &it.data(1, REQUEST));
    let rest = it.data(29, b"the rest of a value\r\n");
    it.delivered(table, "the rest", &rest, 1);
    it.held(table, "the next request, though the rest has a place", &it.data(50, REQUEST));
    pass(TOO_LONG);
    let more = it.data(44, b"more of it\r\n");
    it.discarded(table, "more", &more, "desynced withdrawn discarded_hold_expired");
}

/// The 4-tuple is used again while copies of its past are on their way: they are stale.
fn used_again(it: &Connection<'_>, table: &mut Table<'_>) {
    it.shakes_hands(table);
    let past = it.data(43, REQUEST);
    let mark = it.held(table, "a request behind a hole", &past);
    it.opens_next(table, Some(1), "desynced reset");
    it.returned(table, "of the past", (&past, mark), &Fate::Dropped, "discarded_stale");
}

/// The connection ends while a copy of it waits.
fn ended(it: &Connection<'_>, table: &mut Table<'_>) {
    it.opens(table);
    let request = it.data(1, REQUEST);
    let mark = it.held(table, "a request", &request);
    let refusal = it.reply(RST | ACK, 0, 0, b"");
    it.swallowed(table, "a refusal", &refusal, "closed reply_dropped_reset");
    table.it_ends("discarded_stale");
    it.returned(table, "too late", (&request, mark), &Fate::Dropped, "discarded_stale");
}

/// What waits behind the last has nothing that memcached did not have.
fn behind_the_end(it: &Connection<'_>, table: &mut Table<'_>) {
    it.opens(table);
    let (request, reset) = (it.data(1, REQUEST), it.sent(RST, 15, b""));
    let mark = it.held(table, "a request", &request);
    it.held(table, "the request again", &request);
    it.held(table, "the client's reset", &reset);
    it.held(table, "its reset again", &reset);
    it.answered_by(table, "the SYN-ACK", &it.syn_ack());
    let fate = Connection::as_delivered(&request, 1);
    it.returned(table, "the request", (&request, mark), &fate, "applied");
    let fate = Connection::as_delivered(&reset, 1);
    it.returned(table, "the reset", (&reset, mark), &fate, "applied");
    it.acked_for_client(table, "the server's FIN", &it.reply(ACK | FIN, 1, 16, b""), 2, "closed");
    let (dropped, done) = (&Fate::Dropped, "discarded_finished");
    it.returned(table, "the request again", (&request, mark), dropped, done);
    it.returned(table, "the reset again", (&reset, mark), dropped, "discarded_no_flow");
}

/// What the stack may have dropped is given to it once more when the client sends it again.
fn sent_again(it: &Connection<'_>, table: &mut Table<'_>, pass: impl Fn(Duration)) {
    it.shakes_hands(table);
    pass(AGAIN);
    it.discarded(table, "the SYN again", &it.syn(), "discarded_duplicate");
    let (request, last) = (it.data(1, REQUEST), it.sent(ACK | PSH | FIN, 15, b"quit\r\n"));
    for (what, packet) in [("a request", request), ("the client's FIN", last)] {
        it.delivered(table, what, &packet, 1);
        pass(AGAIN);
        it.delivered(table, &format!("{what} again, not acknowledged yet"), &packet, 1);
    }
    it.swallowed(table, "the server's ACK", &it.reply(ACK, 1, 22, b""), "reply_dropped_ack");
    let request = it.data(1, REQUEST);
    it.discarded(table, "the request again, acknowledged", &request, "discarded_duplicate");
}

/// What the server did not acknowledge for long it does not have: a reset has to be where it stands.
fn not_taken(it: &Connection<'_>, table: &mut Table<'_>, pass: impl Fn(Duration)) {
    it.shakes_hands(table);
    it.delivered(table, "a request", &it.data(1, REQUEST), 1);
    pass(QUIET);
    // It is late: nothing can be behind it.
    it.aborted(table, "the client's reset", &it.sent(RST, 14, b""), 1);
}

fn missing_for_too_long(it: &Connection<'_>, table: &mut Table<'_>, pass: impl Fn(Duration)) {
    it.shakes_hands(table);
    let second = it.data(15, REQUEST);
    let mark = it.held(table, "the second request", &second);
    it.returned(table, "without the first", (&second, mark), &Fate::Diverted, "held");
    pass(GAP);
    let counts = "desynced discarded_hold_expired";
    it.returned(table, "still without it", (&second, mark), &Fate::Dropped, counts);
}

/// A connection that nobody answers.
fn unanswered(it: &Connection<'_>, table: &mut Table<'_>) {
    it.opens(table);
    let request = it.data(1, REQUEST);
    let mark = it.held(table, "a request", &request);
    table.counted("no answer for a second", "discarded_unanswered reset closed");
    table.none_goes_round();
    it.returned(table, "too late", (&request, mark), &Fate::Dropped, "discarded_stale");
    it.ended(table, "the SYN-ACK", &it.syn_ack());
}

/// A connection whose server has no room for more than the first byte.
fn without_room(it: &Connection<'_>, table: &mut Table<'_>) {
    it.opens(table);
    let mut syn_ack = it.syn_ack();
    syn_ack.segment().window = 1;
    it.answered_by(table, "a SYN-ACK with a window of one byte", &syn_ack);
    let mut ack = it.reply(ACK, 1, 1, b"");
    ack.segment().window = 0;
    it.swallowed(table, "the server's ACK", &ack, "reply_dropped_ack");
}

/// A connection whose request waits for room for too long; the synthetic client's socket is left over.
fn expires(it: &Connection<'_>, table: &mut Table<'_>, pass: impl Fn(Duration)) {
    without_room(it, table);
    let request = it.data(1, REQUEST);
    let mark = it.held(table, "a request", &request);
    pass(TOO_LONG);
    let counts = "desynced discarded_hold_expired";
    it.returned(table, "too late", (&request, mark), &Fate::Dropped, counts);
}

fn too_late(it: &Connection<'_>, table: &mut Table<'_>, pass: impl Fn(Duration)) {
    expires(it, table, pass);
    it.opens_next(table, Some(1), "reset");
}

fn reset_later(it: &Connection<'_>, table: &mut Table<'_>, pass: impl Fn(Duration)) {
    expires(it, table, pass);
    it.aborted(table, "the client's reset", &it.sent(RST, 15, b""), 1);
}

fn joined_again(it: &Connection<'_>, table: &mut Table<'_>, pass: impl Fn(Duration)) {
    expires(it, table, pass);
    let behind = |ahead: u32, replied: u32| {
        let mut request = it.data(ahead, REQUEST);
        request.segment().ack = request.segment().ack.wrapping_add(replied);
        request
    };
    it.discarded(table, "behind no line", &behind(15, 5), "discarded_unsynced");
    it.discarded(table, "behind no request", &behind(29, 10), "discarded_unsynced");
    let next = behind(43, 15);
    // First a reset of the old socket; behind it, once again, the SYN and the request.
    let fate = Fate::Becomes(synthetic_client::reset(&next, ISN.wrapping_add(1)).bytes(), 0);
    let counts = "arrived reset segment_injected=2 adopted ~held ~released";
    it.copied(table, "a proven boundary", &next, &fate, counts);
    let mut syn_ack = it.syn_ack();
    syn_ack.segment().ack = ISN.wrapping_add(43);
    it.acked_for_client(table, "the SYN-ACK", &syn_ack, 1, "applied ~held ~released");
}

/// What is held for too long ends the connection: with it, the socket goes, too.
fn ends_too_late<'a>(
    it: impl Fn() -> Connection<'a>,
    table: &mut Table<'_>,
    pass: impl Fn(Duration),
) {
    for (flags, ahead, payload) in [(ACK | PSH | FIN, 1, REQUEST), (RST, 15, b"")] {
        let it = it();
        let last = it.sent(flags, ahead, payload);
        without_room(&it, table);
        let mark = it.held(table, "the last", &last);
        pass(TOO_LONG);
        let fate = Fate::Becomes(synthetic_client::reset(&last, ISN.wrapping_add(1)).bytes(), 0);
        it.returned(table, "too late", (&last, mark), &fate, "desynced reset closed applied");
    }
}

fn lost_on_the_way(it: &Connection<'_>, table: &mut Table<'_>, pass: impl Fn(Duration)) {
    without_room(it, table);
    let first = it.data(1, REQUEST);
    let mark = it.held(table, "a request", &first);
    pass(LOST);
    let next = it.held(table, "the next, when the first is lost", &it.data(15, REQUEST));
    assert_eq!(next & 0xfff, (mark + 1) & 0xfff, "what is held from now on has another number");
    let what = "the first, when it was given up";
    it.returned(table, what, (&first, mark), &Fate::Dropped, "discarded_stale");
}
