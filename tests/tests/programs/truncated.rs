//! Packets that end early.

use mirror_tests::{bpf::Program, wire::Wire};

use crate::table::{Fate, Table};

/// Bytes of an Ethernet header.
pub(crate) const ETHERNET: usize = 14;

/// Calls `row` with each beginning of `frame` but the whole, from the bare Ethernet header on.
pub(crate) fn each(frame: &[u8], mut row: impl FnMut(&[u8])) {
    for length in ETHERNET..frame.len() {
        row(&frame[..length]);
    }
}

/// A row about a packet that passes; over the wire where the kernel takes it no other way.
pub(crate) fn row(
    table: &mut Table<'_>,
    what: &str,
    program: &Program,
    wire: &Wire,
    frame: &[u8],
    counts: &str,
) {
    if is_taken(frame) {
        table.row(what, program, frame.to_vec(), &Fate::Passes, counts);
    } else {
        table.arrives(what, wire, frame, counts);
    }
}

/// Whether the kernel runs a program on such a frame: it wants IP headers whole.
pub(crate) fn is_taken(frame: &[u8]) -> bool {
    let least = match frame[12..14] {
        [8, 0] => ETHERNET + 20,
        [0x86, 0xdd] => ETHERNET + 40,
        _ => ETHERNET,
    };
    frame.len() >= least
}
