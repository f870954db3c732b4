//! With a line for each packet, what becomes of packets is the same.

use crate::{
    adoption, farewell, late, place::STAY, real_clients, source::Source, source_egress,
    target::Target, waiting,
};

#[test]
fn lines_change_nothing_at_the_source() {
    Source::new(STAY).fill(&[source_egress::rows]);
}

#[test]
fn lines_change_nothing_at_the_target() {
    Target::new(STAY).fill(&[
        waiting::rows,
        adoption::rows,
        real_clients::rows,
        farewell::rows,
        late::rows,
    ]);
}
