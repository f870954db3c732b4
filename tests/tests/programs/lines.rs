//! With a line for each packet, what becomes of packets is the same.

use crate::{
    adoption, direct_clients, late, place::STAY, source::Source, source_copies, target::Target,
    teardown, waiting,
};

#[test]
fn lines_change_nothing_at_the_source() {
    Source::new(STAY).fill(&[source_copies::rows]);
}

#[test]
fn lines_change_nothing_at_the_target() {
    Target::new(STAY).fill(&[
        waiting::rows,
        adoption::rows,
        direct_clients::rows,
        teardown::rows,
        late::rows,
    ]);
}
