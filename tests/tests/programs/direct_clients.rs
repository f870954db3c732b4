//! Direct clients of the new host, on 4-tuples that are mirrored or were.

use std::net::{SocketAddr, TcpListener, TcpStream};

use mirror_tests::{
    craft::{ACK, FIN, PSH, Packet, RST, SYN, Segment},
    wait,
};

use crate::{
    connection::Connection,
    place::{v4, v6},
    synthetic_client,
    table::{Fate, Table},
    target::{PORT, Target, sealed},
};

const REQUEST: &[u8] = b"get some_key\r\n";

pub(crate) fn rows(target: &Target, table: &mut Table<'_>) {
    for server in [v4(PORT), v6(PORT)] {
        takes_over(&Connection::new(target, server), table);
        comes_later(&Connection::new(target, server), table);
        is_not_mirrored(&Connection::new(target, server), table);
    }
    was_there_before(target, table);
}

/// A real SYN on a mirrored connection: the mirror stands back, until it is over.
fn takes_over(it: &Connection<'_>, table: &mut Table<'_>) {
    it.shakes_hands(table);
    it.really_sent(table, "data of a real client", &it.data(1, REQUEST), "direct_in");
    it.really_sent(table, "a SYN-ACK", &it.sent(SYN | ACK, 0, b""), "direct_in");
    it.delivered(table, "a request", &it.data(1, REQUEST), 1);
    it.really_sent(table, "a SYN", &it.syn(), "direct_in direct_takeover");
    it.really_sent(table, "the SYN again", &it.syn(), "direct_in");
    it.discarded(table, "a request", &it.data(15, REQUEST), "discarded_direct_client");
    it.discarded(table, "a FIN", &it.sent(ACK | FIN, 29, b""), "discarded_direct_client");
    let reply = it.reply(ACK | PSH, 1, 15, b"END\r\n").bytes();
    it.replied(table, "a reply", reply, &Fate::Passes, "direct_out");
    // Nobody has a socket any more.
    it.opens_next(table, None, "");
}

/// A direct client uses a 4-tuple whose mirrored connection has ended.
fn comes_later(it: &Connection<'_>, table: &mut Table<'_>) {
    it.shakes_hands(table);
    it.ends(table);
    it.really_sent(table, "a SYN", &it.syn(), "direct_in");
    it.replied(table, "its SYN-ACK", it.syn_ack().bytes(), &Fate::Passes, "direct_out");
}

fn is_not_mirrored(it: &Connection<'_>, table: &mut Table<'_>) {
    it.really_sent(table, "a SYN", &it.syn(), "direct_in");
    it.replied(table, "its SYN-ACK", it.syn_ack().bytes(), &Fate::Passes, "direct_out");
    for flags in 0..=255 {
        let what = format!("a reply, flags {flags:#04x}");
        let reply = it.reply(flags, 1, 1, b"").bytes();
        it.replied(table, &what, reply, &Fate::Passes, "direct_out");
    }
}

/// A socket that is there when the first copy comes. Over loopback, where the mirror is not.
fn was_there_before(target: &Target, table: &mut Table<'_>) {
    let host = &target.place.host;
    for address in ["127.0.0.1", "[::1]"] {
        let server: SocketAddr = format!("{address}:{PORT}").parse().expect("an address");
        let listener = host.run(|| TcpListener::bind(server)).expect("the port is free");
        for behind_a_syn in [true, false] {
            let stream = host.run(|| TcpStream::connect(server)).expect("it listens");
            let (accepted, client) = listener.accept().expect("somebody connects");
            let segment = Segment { flags: SYN, seq: 1, ..Segment::default() };
            let syn = Packet::tcp(client, server, segment.clone());
            let segment = Segment { flags: ACK, seq: 2, payload: REQUEST.to_vec(), ..segment };
            let data = Packet::tcp(client, server, segment);
            let mut row = |what: &str, packet: &Packet, fate: &Fate, counts: &str| {
                let what = format!("{server}: {what}");
                table.row(&what, &target.ingress, sealed(packet).bytes(), fate, counts);
            };
            if behind_a_syn {
                row("a SYN", &syn, &Fate::Dropped, "arrived discarded_syn");
            }
            row("data", &data, &Fate::Dropped, "arrived discarded_direct_client");

            // The server's side of it has nothing more to say, and only waits for stragglers.
            drop(accepted);
            drop(stream);
            wait::until("the connection's end", || {
                let sockets = host.output("ss", &["-Htn", "state", "time-wait"]);
                sockets.lines().any(|line| line.contains(&client.to_string())).then_some(())
            });
            row("a SYN when it is over", &syn, &Fate::Dropped, "arrived discarded_syn");
            let fate = Fate::Becomes(synthetic_client::syn_before(&data).bytes(), 0);
            table.one_goes_round();
            let what = format!("{server}: data when it is over");
            table.row(&what, &target.ingress, sealed(&data).bytes(), &fate, "arrived opened");
            let refusal = Segment { flags: RST | ACK, ack: 2, ..Segment::default() };
            let refusal = Packet::tcp(server, client, refusal).bytes();
            let counts = "closed reply_dropped_reset";
            table.row("a refusal", &target.egress, refusal, &Fate::Diverted, counts);
            table.it_ends("discarded_stale");
        }
    }
}
