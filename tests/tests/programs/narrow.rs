//! A target with room for two connections, whose device is down.

use mirror_tests::{craft::ACK, flows};

use crate::{
    connection::{Connection, PRODUCTION},
    evicted::{IDLE, PAUSE},
    place::{v4, v6},
    table::{Fate, Table},
    target::{PORT, Target},
};

const REQUEST: &[u8] = b"get some_key\r\n";

pub(crate) fn rows(target: &Target, table: &mut Table<'_>) {
    // What needs a clone cannot be done.
    let it = Connection::new(target, v4(PORT));
    it.discarded(table, "the first segment", &it.data(1, REQUEST), "discarded_unsynced");
    let mut next = it.data(15, REQUEST);
    next.segment().ack = PRODUCTION + 5;
    it.discarded(table, "a proven boundary", &next, "discarded_clone");
    let it = Connection::new(target, v6(PORT));
    it.noted(table, "a SYN", &it.syn());
    it.discarded(table, "what would open", &it.opener(), "discarded_clone");
    it.noted(table, "another SYN", &it.another_syn());
    let next = it.behind(&it.another_syn());
    it.discarded(table, "what is behind it", &next, "desynced discarded_clone");

    for server in [v4(PORT), v6(PORT)] {
        let it = Connection::new(target, server);
        it.noted(table, "a SYN", &it.syn());
        it.discarded(table, "its data", &it.opener(), "discarded_table_full");
        it.discarded(table, "data too many", &it.data(1, REQUEST), "discarded_table_full");
        it.discarded(table, "an ACK", &it.sent(ACK, 1, b""), "discarded_pure_ack");
        it.replied(table, "a reply", it.syn_ack().bytes(), &Fate::Passes, "direct_out");
    }
    flows::age(&target.place.host, IDLE);
    std::thread::sleep(PAUSE);
    for server in [v4(PORT), v6(PORT)] {
        let it = Connection::new(target, server);
        it.noted(table, "a SYN", &it.syn());
        it.discarded(table, "in place of an idle one", &it.opener(), "discarded_clone");
    }
}
