//! Segments that come late, or twice, and those too far behind for that: they are of another connection.

use crate::{
    connection::Connection,
    place::{v4, v6},
    table::Table,
    target::{PORT, Target},
    teardown::teardown,
};

const REQUEST: &[u8] = b"get some_key\r\n";
const LENGTH: u32 = 14;
/// So far behind the end of what was delivered is too far.
const FAR: u32 = 64 << 20;

pub(crate) fn rows(target: &Target, table: &mut Table<'_>) {
    for server in [v4(PORT), v6(PORT)] {
        for behind in [LENGTH + 1, LENGTH + 2, FAR - 1] {
            behind_an_open_one(&Connection::new(target, server), table, behind, "");
        }
        for behind in [FAR, FAR + 1, 1 << 30, (1 << 31) - 1] {
            behind_an_open_one(&Connection::new(target, server), table, behind, "desynced");
        }
        for behind in [0, 1, LENGTH, FAR - 1] {
            behind_an_ended_one(&Connection::new(target, server), table, behind, "finished");
        }
        for behind in [FAR, FAR + 1, 1 << 30, 1 << 31, 0u32.wrapping_sub(1)] {
            behind_an_ended_one(&Connection::new(target, server), table, behind, "unsynced");
        }
    }
}

/// A segment that ends so far behind what was delivered, which is one request.
fn behind_an_open_one(it: &Connection<'_>, table: &mut Table<'_>, behind: u32, broken: &str) {
    it.shakes_hands(table);
    it.asks(table, &it.data(1, REQUEST));
    let early = it.data(1u32.wrapping_sub(behind), REQUEST);
    // Nobody had what was sent before the SYN.
    let counts = format!("{broken} discarded_unsynced");
    it.discarded(table, &format!("{behind} behind"), &early, &counts);
    if broken.is_empty() {
        it.delivered(table, "the next request", &it.data(15, REQUEST), 1);
    } else {
        it.discarded(table, "the next request", &it.data(15, REQUEST), "discarded_unsynced");
    }
}

/// The same where the connection is over.
fn behind_an_ended_one(it: &Connection<'_>, table: &mut Table<'_>, behind: u32, reason: &str) {
    it.shakes_hands(table);
    it.asks(table, &it.data(1, REQUEST));
    it.aborted(table, "teardown", &teardown(it), 15);
    let early = it.data(1u32.wrapping_sub(behind), REQUEST);
    it.discarded(table, &format!("{behind} behind"), &early, &format!("discarded_{reason}"));
}
