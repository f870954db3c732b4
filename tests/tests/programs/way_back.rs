//! Where this host's answers are not seen, it opens no connection.

use mirror_tests::craft::RST;

use crate::{
    connection::Connection,
    place::{v4, v6},
    table::{Fate, Table},
    target::{PORT, Target, sealed},
};

/// A client without a way to it.
const UNREACHABLE: &str = "203.0.113.9/32";

/// The last rows of a target: it opens no connection any more.
pub(crate) fn rows(target: &Target, table: &mut Table<'_>) {
    let it = Connection::to_nowhere(target, v4(PORT));
    target.place.host.ip(&["route", "add", "unreachable", UNREACHABLE]);
    it.noted(table, "a SYN", &it.syn());
    // Routes count for what is for this host, by its link-layer address.
    let mut frame = sealed(&it.opener()).bytes();
    frame[..6].copy_from_slice(&target.place.host.mac_bytes());
    let counts = "arrived discarded_no_way_back";
    table.row("without a way back", &target.ingress, frame, &Fate::Dropped, counts);

    let it = Connection::new(target, v4(PORT));
    it.opens(table);
    let other = it.sent(RST, 1, b"");
    it.really_sent(table, "a reset of something else", &other, "direct_in");
    let refusal = it.sent(RST, 0, b"");
    it.really_sent(table, "a client refuses an answer", &refusal, "direct_in reply_leaked closed");
    table.it_ends("discarded_stale");
    for server in [v4(PORT), v6(PORT)] {
        let next = Connection::new(target, server);
        next.noted(table, "a SYN", &next.syn());
        next.discarded(table, "what would open", &next.opener(), "discarded_unanswered");
    }
}
