//! Segments of mirrored connections that are not as usual.

use std::net::SocketAddr;

use mirror_tests::craft::{ACK, Body, FIN, PSH, Packet, RST, SYN, URG};

use crate::{
    connection::Connection,
    place::{v4, v6},
    synthetic_client,
    table::{Fate, In, Table},
    target::{PORT, Target, sealed},
};

pub(crate) fn rows(target: &Target, table: &mut Table<'_>) {
    for server in [v4(PORT), v6(PORT)] {
        malformed_replies(&Connection::new(target, server), table);
        super_packets(target, &Connection::new(target, server), table);
        data_in_a_syn(target, server, table);
        options_of_a_syn_ack(target, server, table);
        // Urgent data cannot be in a copy.
        for flags in (0..64).filter(|flags| flags & URG == 0) {
            unknown(&Connection::new(target, server), table, flags);
        }
    }
}

/// Replies to a mirrored connection stay here, whatever they look like.
fn malformed_replies(it: &Connection<'_>, table: &mut Table<'_>) {
    it.shakes_hands(table);
    let reply = it.reply(ACK | PSH, 1, 1, b"END\r\n");
    for words in (0..=15u8).filter(|words| !(5..=6).contains(words)) {
        let mut frame = reply.bytes();
        frame[reply.l4() + 12] = words << 4;
        let what = format!("a reply with a header of {words} words");
        it.replied(table, &what, frame, &Fate::Diverted, "reply_dropped_malformed");
    }
    let tcp = reply.bytes().split_off(reply.l4());
    for length in 8..20 {
        let body = Body::Other(6, tcp[..length].to_vec());
        let frame = Packet { body, ..reply.clone() }.bytes();
        let what = format!("a reply of {length} bytes");
        it.replied(table, &what, frame, &Fate::Diverted, "reply_dropped_malformed");
    }
}

/// Copies that stand for several segments are counted as those.
fn super_packets(target: &Target, it: &Connection<'_>, table: &mut Table<'_>) {
    it.opens(table);
    let request = it.data(1, &[b'x'; 250]);
    let input = In { gso_size: 100, ..sealed(&request).bytes().into() };
    let fate = Fate::Held(input.frame.clone());
    let counts = "arrived=3 held=3";
    let mark = table.row("held, three at once", &target.ingress, input, &fate, counts);
    it.answered_by(table, "the SYN-ACK", &it.syn_ack());
    let input = In { gso_size: 100, mark, ..sealed(&request).bytes().into() };
    let fate = Connection::as_delivered(&request, 1);
    table.row("back, three at once", &target.ingress, input, &fate, "released=3 applied=3");
    let request = it.data(251, &[b'x'; 200]);
    let input = In { gso_size: 100, ..sealed(&request).bytes().into() };
    let fate = Connection::as_delivered(&request, 1);
    table.row("two at once", &target.ingress, input, &fate, "arrived=2 applied=2");
    let mut malformed = sealed(&request).bytes();
    malformed[request.l4() + 12] = 0x40;
    let input = In { gso_size: 100, ..malformed.into() };
    let counts = "arrived discarded_malformed";
    table.row("malformed, as one", &target.ingress, input, &Fate::Dropped, counts);
}

/// Data in a SYN waits until its client shows that production took it, and opens then.
fn data_in_a_syn(target: &Target, server: SocketAddr, table: &mut Table<'_>) {
    const EARLY: &[u8] = b"get early\r\n";
    const BEHIND: u32 = 12;
    for words in [0, 1, 2, 3, 10] {
        let it = Connection::new(target, server);
        let mut syn = it.sent(SYN, 0, EARLY);
        syn.segment().options = vec![0xee; 4 * words];
        let mark = it.held(table, &format!("a SYN with data, {words} words of options"), &syn);
        let (waits, held) = (&Fate::Diverted, "held");
        it.returned(table, "nobody has answered", (&syn, mark), waits, held);
        it.discarded(table, "a SYN-ACK alone", &it.sent(ACK, 1, b""), "discarded_pure_ack");
        it.returned(table, "production did not take it", (&syn, mark), waits, held);
        it.discarded(table, "it did", &it.sent(ACK, BEHIND, b""), "discarded_pure_ack");
        let fate = Fate::Becomes(synthetic_client::syn_before(&it.data(1, EARLY)).bytes(), 0);
        table.one_goes_round();
        it.returned(table, "so it opens", (&syn, mark), &fate, "opened");
        it.answered_by(table, "the SYN-ACK", &it.reply(SYN | ACK, 0, 1, b""));
        it.delivered(table, "the next", &it.data(BEHIND, EARLY), 1);
        it.discarded(table, "the SYN again", &syn, "discarded_duplicate");
    }
}

/// What the SYN-ACK agrees to: its window counts as it is, those after it are scaled.
fn options_of_a_syn_ack(target: &Target, server: SocketAddr, table: &mut Table<'_>) {
    for (options, scale) in [
        (vec![], 0),
        (vec![2, 4, 5, 0xb4], 0),
        (vec![2, 4, 5, 0xb4, 1, 3, 3, 0], 0),
        (vec![2, 4, 5, 0xb4, 1, 3, 3, 4], 4),
        (vec![2, 4, 5, 0xb4, 1, 3, 3, 14], 14),
        (vec![2, 4, 5, 0xb4, 1, 3, 3, 15], 14),
        (vec![2, 4, 5, 0xb4, 4, 2, 1, 1], 0),
    ] {
        let it = Connection::new(target, server);
        it.opens(table);
        let mut syn_ack = it.syn_ack();
        syn_ack.segment().options = options;
        syn_ack.segment().window = 1;
        it.answered_by(table, "a SYN-ACK", &syn_ack);
        let window = 1 << scale;
        let mut update = it.reply(ACK, 1, 1, b"");
        update.segment().window = 1;
        it.swallowed(table, "a window update", &update, "reply_dropped_ack");
        let length = 1000.min(window);
        let fits = it.data(1, &vec![b'f'; length]);
        it.delivered(table, &format!("what fits a window of {window}"), &fits, 1);
        if length == window {
            let ahead = u32::try_from(1 + length).expect("a thousand at most");
            let what = format!("what does not fit a window of {window}");
            it.held(table, &what, &it.data(ahead, b"m"));
        }
    }
}

/// The first that is heard of a connection.
fn unknown(it: &Connection<'_>, table: &mut Table<'_>, flags: u8) {
    for payload in [&b""[..], b"get some_key\r\n"] {
        let packet = it.sent(flags, 1, payload);
        let what = format!("flags {flags:#04x}, {} bytes", payload.len());
        if flags & SYN != 0 && flags & (ACK | RST) == 0 {
            if payload.is_empty() {
                it.noted(table, &what, &packet);
            } else {
                it.held(table, &what, &packet);
            }
            continue;
        }
        let reason = if flags & SYN != 0 && flags & RST == 0 {
            "discarded_no_flow"
        } else if payload.is_empty() {
            if flags & (RST | FIN) == 0 { "discarded_pure_ack" } else { "discarded_no_flow" }
        } else if flags & RST != 0 {
            "closed discarded_no_flow"
        } else if flags & FIN != 0 {
            "closed discarded_unsynced"
        } else {
            "discarded_unsynced"
        };
        it.discarded(table, &what, &packet, reason);
    }
}
