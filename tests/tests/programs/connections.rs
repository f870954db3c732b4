//! Connections from their SYN to their end.

use mirror_tests::craft::{ACK, Body, FIN, PSH, Packet, RST, SYN, Segment};

use crate::{
    connection::Connection,
    place::{v4, v6},
    shapes,
    table::{Fate, Table},
    target::{PORT, Target},
};

const REQUEST: &[u8] = b"get some_key\r\n";

pub(crate) fn rows(target: &Target, table: &mut Table<'_>) {
    let any = Body::Tcp(Segment::default());
    for (_, headers) in shapes::around(&any, PORT) {
        for padding in [0, 5] {
            let headers = Packet { padding: vec![0xee; padding], ..headers.clone() };
            life(&Connection::with_headers(target, &headers), table);
            the_server_ends_it(&Connection::with_headers(target, &headers), table);
            the_client_resets_it(&Connection::with_headers(target, &headers), table);
            used_again(&Connection::with_headers(target, &headers), table);
        }
    }
    for server in [v4(PORT), v6(PORT)] {
        the_server_resets_it(&Connection::new(target, server), table);
        the_client_resets_it_last(&Connection::new(target, server), table);
        reset_early(&Connection::new(target, server), table);
        reset_late(&Connection::new(target, server), table);
    }
}

fn life(it: &Connection<'_>, table: &mut Table<'_>) {
    it.opens(table);
    it.swallowed(
        table,
        "an ACK of something else",
        &it.reply(ACK, 99, 99, b""),
        "reply_dropped_ack",
    );
    let other = it.reply(SYN | ACK, 0, 1, b"");
    it.swallowed(table, "a SYN-ACK of something else", &other, "reply_dropped_ack");
    it.discarded(table, "an ACK before the SYN-ACK", &it.sent(ACK, 1, b""), "discarded_pure_ack");
    it.answered_by(table, "the SYN-ACK", &it.syn_ack());
    it.discarded(table, "the SYN again, answered", &it.syn(), "discarded_duplicate");
    it.acked_for_client(table, "the SYN-ACK again", &it.syn_ack(), 1, "");
    it.discarded(table, "the ACK", &it.sent(ACK, 0, b""), "discarded_pure_ack");
    it.discarded(table, "the first byte again", &it.opener(), "discarded_duplicate");

    let request = it.data(1, REQUEST);
    it.delivered(table, "a request", &request, 1);
    it.swallowed(
        table,
        "a small reply",
        &it.reply(ACK | PSH, 1, 15, b"END\r\n"),
        "reply_dropped_data",
    );
    it.discarded(table, "the request again", &request, "discarded_duplicate");
    it.delivered(table, "an ACK that is owed", &it.sent(ACK, 15, b""), 6);
    it.discarded(table, "an ACK that is not", &it.sent(ACK, 15, b""), "discarded_pure_ack");
    it.swallowed(table, "the server's ACK", &it.reply(ACK, 6, 15, b""), "reply_dropped_ack");

    let large = it.reply(ACK | PSH, 6, 15, &[b'l'; 1001]);
    it.acked_for_client(table, "a large reply", &large, 1007, "");
    it.acked_for_client(table, "the large reply again", &large, 1007, "");
    for more in 0..4 {
        let small = it.reply(ACK | PSH, 1007 + 1000 * more, 15, &[b's'; 1000]);
        it.swallowed(table, "one of many small replies", &small, "reply_dropped_data");
    }
    let small = it.reply(ACK | PSH, 5007, 15, &[b's'; 1000]);
    it.acked_for_client(table, "the last of many small replies", &small, 6007, "");
    it.acked_for_client(table, "a keepalive probe", &it.reply(ACK, 6006, 15, b""), 6007, "");

    let last = it.sent(ACK | PSH | FIN, 15, b"quit\r\n");
    it.delivered(table, "the client's FIN", &last, 6007);
    it.swallowed(table, "an ACK of the FIN", &it.reply(ACK, 6007, 22, b""), "reply_dropped_ack");
    it.discarded(table, "the FIN again", &last, "discarded_duplicate");
    let fin = it.reply(ACK | FIN, 6007, 22, b"");
    it.acked_for_client(table, "the server's FIN", &fin, 6008, "closed");

    it.ended(table, "the server's FIN again", &fin);
    it.discarded(table, "a straggler", &request, "discarded_finished");
    it.discarded(table, "a straggling FIN", &last, "discarded_finished");
    it.discarded(table, "the last ACK", &it.sent(ACK, 22, b""), "discarded_pure_ack");
    it.discarded(table, "a bare FIN", &it.sent(ACK | FIN, 22, b""), "discarded_no_flow");
    it.discarded(table, "a reset", &it.sent(RST, 22, b""), "discarded_no_flow");
    it.discarded(table, "more after the end", &it.data(22, REQUEST), "discarded_unsynced");
}

fn the_server_ends_it(it: &Connection<'_>, table: &mut Table<'_>) {
    it.shakes_hands(table);
    it.ends(table);
}

fn the_client_resets_it(it: &Connection<'_>, table: &mut Table<'_>) {
    it.shakes_hands(table);
    it.asks(table, &it.data(1, REQUEST));
    let reset = it.sent(RST | ACK, 15, b"");
    it.delivered(table, "the client's reset", &reset, 1);
    it.discarded(table, "the reset again", &reset, "discarded_duplicate");
    let late = it.reply(ACK | PSH, 1, 16, b"END\r\n");
    it.swallowed(table, "a late reply", &late, "reply_dropped_data");
    it.acked_for_client(table, "the server's FIN", &it.reply(ACK | FIN, 6, 16, b""), 7, "closed");
}

/// The server has closed: nobody reads what the client would have sent.
fn the_client_resets_it_last(it: &Connection<'_>, table: &mut Table<'_>) {
    it.shakes_hands(table);
    it.asks(table, &it.data(1, REQUEST));
    it.acked_for_client(table, "the server's FIN", &it.reply(ACK | FIN, 1, 15, b""), 2, "");
    it.aborted(table, "the client's reset", &it.sent(RST | ACK, 15, b""), 15);
    let late = it.reply(ACK | PSH, 1, 15, b"END\r\n");
    it.ended(table, "a late reply", &late);
}

/// The client opens the 4-tuple again, and the mirror has not heard of the end.
fn used_again(it: &Connection<'_>, table: &mut Table<'_>) {
    it.shakes_hands(table);
    it.noted(table, "another SYN, maybe nobody's", &it.another_syn());
    it.delivered(table, "data of before", &it.data(1, REQUEST), 1);
    it.opens_next(table, Some(15), "desynced reset");
}

fn the_server_resets_it(it: &Connection<'_>, table: &mut Table<'_>) {
    it.shakes_hands(table);
    let rst = it.reply(RST | ACK, 1, 1, b"");
    it.swallowed(table, "the server's reset", &rst, "closed reply_dropped_reset");
    it.swallowed(table, "the reset again", &rst, "reply_dropped_finished");

    // A SYN that is refused.
    it.opens_next(table, None, "");
}

fn reset_early(it: &Connection<'_>, table: &mut Table<'_>) {
    it.shakes_hands(table);
    it.delivered(table, "a request", &it.data(1, REQUEST), 1);
    let reset = it.sent(RST, 16, b"");
    let mark = it.held(table, "a reset that is early", &reset);
    it.returned(table, "still early", (&reset, mark), &Fate::Diverted, "held");
    it.delivered(table, "what it is behind", &it.data(15, b"x"), 1);
    let fate = Connection::as_delivered(&reset, 1);
    it.returned(table, "behind it", (&reset, mark), &fate, "applied");
}

fn reset_late(it: &Connection<'_>, table: &mut Table<'_>) {
    it.shakes_hands(table);
    it.asks(table, &it.data(1, REQUEST));
    it.aborted(table, "a reset that is late", &it.sent(RST, 3, b""), 15);
}
