//! A source says that no more copies of a connection come: what is left of it is ended.

use mirror_tests::craft::{ACK, FIN, Packet, RST, SYN};

use crate::{
    connection::Connection,
    place::{v4, v6},
    table::{Fate, Table},
    target::{PORT, Target},
};

const REQUEST: &[u8] = b"get some_key\r\n";

pub(crate) fn rows(target: &Target, table: &mut Table<'_>) {
    for server in [v4(PORT), v6(PORT)] {
        let it = || Connection::new(target, server);
        unknown(&it(), table);
        watched(&it(), table);
        unanswered(&it(), table);
        open(&it(), table);
        of_a_real_client(&it(), table);
    }
}

/// Whoever sends it knows no sequence number.
pub(crate) fn teardown(it: &Connection<'_>) -> Packet {
    let mut packet = it.sent(SYN | RST, 0, b"");
    let segment = packet.segment();
    (segment.seq, segment.window) = (0, 0);
    segment.options.clear();
    packet
}

fn unknown(it: &Connection<'_>, table: &mut Table<'_>) {
    for _ in 0..2 {
        it.discarded(table, "teardown, nothing known", &teardown(it), "discarded_no_flow");
    }
}

fn watched(it: &Connection<'_>, table: &mut Table<'_>) {
    it.discarded(table, "the first segment", &it.data(1, REQUEST), "discarded_unsynced");
    it.discarded(table, "teardown", &teardown(it), "closed discarded_no_flow");
    it.discarded(table, "teardown again", &teardown(it), "discarded_no_flow");
}

fn unanswered(it: &Connection<'_>, table: &mut Table<'_>) {
    it.opens(table);
    let request = it.data(1, REQUEST);
    let mark = it.held(table, "a request", &request);
    it.aborted(table, "teardown, unanswered", &teardown(it), 0);
    table.it_ends("discarded_stale");
    it.ended(table, "its SYN-ACK", &it.syn_ack());
    it.returned(table, "behind it", (&request, mark), &Fate::Dropped, "discarded_stale");
}

fn open(it: &Connection<'_>, table: &mut Table<'_>) {
    it.shakes_hands(table);
    it.asks(table, &it.data(1, REQUEST));
    it.aborted(table, "teardown", &teardown(it), 15);
    it.ended(table, "a reply", &it.reply(ACK, 1, 15, b"END\r\n"));
    it.discarded(table, "a straggler", &it.data(1, REQUEST), "discarded_finished");
    it.discarded(table, "its FIN", &it.sent(ACK | FIN, 15, b""), "discarded_no_flow");
}

fn of_a_real_client(it: &Connection<'_>, table: &mut Table<'_>) {
    it.shakes_hands(table);
    it.really_sent(table, "a SYN", &it.syn(), "direct_in direct_takeover");
    it.discarded(table, "teardown", &teardown(it), "discarded_direct_client");
    let reply = it.syn_ack().bytes();
    it.replied(table, "the SYN-ACK to the real client", reply, &Fate::Passes, "direct_out");
}
