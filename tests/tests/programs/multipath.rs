//! MPTCP: its segments with data, and subflows that join, are not copied; the connection that a SYN opened
//! before the server agreed to MPTCP is ended on the new host.

use mirror_tests::craft::{ACK, Body, FIN, PSH, Packet, RST, SYN, Segment};

use crate::{
    connection::{Connection, PRODUCTION},
    place::{v4, v6},
    source::{PORT, Source, segment},
    source_ingress::{copied, not_copied, request},
    table::{Fate, Table},
    target::Target,
};

const MP_CAPABLE: u8 = 0;
const MP_JOIN: u8 = 1;
const DSS: u8 = 2;
const REQUEST: &[u8] = b"get some_key\r\n";

/// Timestamps, and an MPTCP option of this subtype (RFC 8684, 3).
fn options(subtype: u8) -> Vec<u8> {
    [&[1, 1, 8, 10, 0, 1, 2, 3, 4, 5, 6, 7][..], &[30, 8, subtype << 4, 1, 0, 0, 0, 9]].concat()
}

/// What arrives at the old host.
pub(crate) fn source_rows(source: &Source, table: &mut Table<'_>) {
    for to in [v4(PORT), v6(PORT)] {
        let packet = |flags, options: Vec<u8>, payload: &[u8]| {
            let payload = payload.to_vec();
            request(Body::Tcp(Segment { flags, options, payload, ..segment() }), to)
        };
        for subtype in 0..16 {
            let what = format!("{to}: MPTCP {subtype}");
            for flags in [ACK, ACK | PSH, ACK | PSH | FIN] {
                let data = packet(flags, options(subtype), REQUEST);
                not_copied(source, table, &what, data.bytes(), "skipped_mptcp");
            }
            // What ends the connection on the new host.
            for flags in [ACK, ACK | FIN, RST, RST | ACK] {
                copied(source, table, &what, &packet(flags, options(subtype), b""));
            }
        }
        let first = [&[30, 4, DSS << 4, 1][..], &[1; 36]].concat();
        let last = [&[1; 36][..], &[30, 4, DSS << 4, 1]].concat();
        for (what, options) in [("first of all options", first), ("last of them", last)] {
            let packet = packet(ACK, options, REQUEST);
            not_copied(source, table, &format!("{to}: {what}"), packet.bytes(), "skipped_mptcp");
        }
        for (what, options) in [
            ("a timestamp that looks like MPTCP", vec![1, 1, 8, 10, 30, 4, 32, 1, 30, 4, 32, 1]),
            ("MPTCP behind the end of options", vec![0, 0, 0, 0, 30, 4, 32, 1]),
            ("MPTCP behind an option without length", vec![5, 0, 0, 0, 30, 4, 32, 1]),
            ("MPTCP in an option that is too long", vec![5, 99, 0, 0, 30, 4, 32, 1]),
        ] {
            copied(source, table, &format!("{to}: {what}"), &packet(ACK, options, REQUEST));
        }
        let what = format!("{to}: a SYN that offers MPTCP");
        copied(source, table, &what, &packet(SYN, options(MP_CAPABLE), b""));
        let what = format!("{to}: a SYN of a subflow");
        let join = packet(SYN, options(MP_JOIN), b"");
        not_copied(source, table, &what, join.bytes(), "skipped_mptcp");
    }
}

/// What arrives at the new host.
pub(crate) fn target_rows(target: &Target, table: &mut Table<'_>) {
    for server in [v4(PORT), v6(PORT)] {
        let it = || Connection::new(target, server);
        declined(&it(), table);
        agreed(&it(), table);
        unanswered(&it(), table);
        unknown(&it(), table);
        watched(&it(), table);
        of_a_real_client(&it(), table);
    }
}

/// The same segment of an MPTCP connection.
fn with_mptcp(mut packet: Packet, subtype: u8) -> Packet {
    packet.segment().options = options(subtype);
    packet
}

fn acknowledgement(it: &Connection<'_>, ahead: u32) -> Packet {
    with_mptcp(it.sent(ACK, ahead, b""), DSS)
}

/// The server knows nothing of MPTCP.
fn declined(it: &Connection<'_>, table: &mut Table<'_>) {
    let syn = with_mptcp(it.syn(), MP_CAPABLE);
    it.noted(table, "a SYN that offers MPTCP", &syn);
    it.shakes_hands(table);
    it.asks(table, &it.data(1, REQUEST));
}

/// It does, and the client's third segment says so.
fn agreed(it: &Connection<'_>, table: &mut Table<'_>) {
    it.shakes_hands(table);
    let third = with_mptcp(it.sent(ACK, 1, b""), MP_CAPABLE);
    it.aborted(table, "the third segment, with MPTCP", &third, 1);
    it.ended(table, "a reply", &it.reply(ACK, 1, 1, b"END\r\n"));
    it.discarded(table, "another", &acknowledgement(it, 1), "discarded_mptcp");
    without_option(it, table);
    it.discarded(table, "its end", &with_mptcp(it.sent(RST, 1, b""), 8), "discarded_mptcp");
    // Another connection of the same ends.
    it.opens_next(table, None, "");
}

/// The SYN-ACK of the new server is yet to come.
fn unanswered(it: &Connection<'_>, table: &mut Table<'_>) {
    it.opens(table);
    it.aborted(table, "an ACK with MPTCP", &acknowledgement(it, 1), 0);
    table.it_ends("discarded_mptcp");
    it.ended(table, "the SYN-ACK", &it.syn_ack());
}

/// A subflow, or a connection that is older than the mirror.
fn unknown(it: &Connection<'_>, table: &mut Table<'_>) {
    it.discarded(table, "an ACK with MPTCP", &acknowledgement(it, 1), "discarded_mptcp");
    let data = with_mptcp(it.data(1, REQUEST), DSS);
    it.discarded(table, "data with MPTCP", &data, "discarded_mptcp");
    without_option(it, table);
    it.shakes_hands(table);
}

/// Not every segment needs the option (RFC 8684, 3.3.1): those that would be a proven boundary.
fn without_option(it: &Connection<'_>, table: &mut Table<'_>) {
    for (at, replied) in [(100, 0), (114, 10), (128, 20)] {
        let mut data = it.data(at, REQUEST);
        data.segment().ack = PRODUCTION + replied;
        it.discarded(table, "data without the option", &data, "discarded_mptcp");
    }
}

fn watched(it: &Connection<'_>, table: &mut Table<'_>) {
    it.discarded(table, "the first segment", &it.data(1, REQUEST), "discarded_unsynced");
    let ack = acknowledgement(it, 15);
    it.discarded(table, "an ACK with MPTCP", &ack, "closed discarded_no_flow");
    without_option(it, table);
}

fn of_a_real_client(it: &Connection<'_>, table: &mut Table<'_>) {
    it.shakes_hands(table);
    it.really_sent(table, "a SYN", &it.syn(), "direct_in direct_takeover");
    let ack = acknowledgement(it, 1);
    it.discarded(table, "an ACK with MPTCP", &ack, "discarded_direct_client");
    let reply = it.syn_ack().bytes();
    it.replied(table, "the SYN-ACK to the real client", reply, &Fate::Passes, "direct_out");
}
