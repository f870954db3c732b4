//! What the new memcached refuses.

use mirror_tests::craft::{ACK, PSH};

use crate::{
    adoption::adopted,
    connection::{Connection, ISN},
    place::{v4, v6},
    synthetic_client,
    table::{Fate, Table},
    target::{PORT, Target},
};

const UNAUTHENTICATED: &[u8] = b"CLIENT_ERROR unauthenticated\r\n";
const REPLIES: [(&[u8], &str); 8] = [
    (b"STORED\r\n", ""),
    (b"ERROR\r\n", "error_other"),
    (b"ERROR Too many open connections\r\n", "error_too_many_clients"),
    (b"SERVER_ERROR out of memory storing object\r\n", "error_out_of_memory"),
    (b"SERVER_ERROR object too large for cache\r\n", "error_too_large"),
    (b"CLIENT_ERROR bad data chunk\r\n", "error_bad_chunk"),
    (UNAUTHENTICATED, "error_unauthenticated"),
    (b"VALUE key 0 7\r\nERROR\r\n\r\nEND\r\n", ""),
];

pub(crate) fn rows(target: &Target, table: &mut Table<'_>) {
    for server in [v4(PORT), v6(PORT)] {
        each(target, server, table);
        unknown_user(target, server, table);
    }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("short")
}

fn each(target: &Target, server: std::net::SocketAddr, table: &mut Table<'_>) {
    let it = Connection::new(target, server);
    it.shakes_hands(table);
    let mut ahead = 1;
    for (reply, counts) in REPLIES {
        let packet = it.reply(ACK | PSH, ahead, 1, reply);
        let counts = format!("reply_dropped_data {counts}");
        it.swallowed(table, &reply.escape_ascii().to_string(), &packet, &counts);
        ahead += length(reply);
    }
    // Its client may say now who it is.
    it.delivered(table, "what comes then", &it.data(1, b"get a\r\n"), ahead);
}

/// A connection that began before the mirror: what its client said then, this server has not heard.
fn unknown_user(target: &Target, server: std::net::SocketAddr, table: &mut Table<'_>) {
    let (before, request) = (b"get a\r\n", b"get some_key\r\n");
    let it = Connection::new(target, server);
    adopted(&it, table, before, request);
    let at = 1 + length(before) + length(request);
    let refusal = it.reply(ACK | PSH, 1, at, UNAUTHENTICATED);
    it.swallowed(table, "a refusal", &refusal, "reply_dropped_data error_unauthenticated");
    let next = it.data(at, request);
    let fate = Fate::Becomes(synthetic_client::reset(&next, ISN.wrapping_add(at)).bytes(), 0);
    let counts = "arrived reset closed segment_injected discarded_unknown_user";
    it.copied(table, "what comes then", &next, &fate, counts);
    let more = it.data(at + length(request), request);
    it.discarded(table, "and then", &more, "discarded_unknown_user");
}
