//! What says that no more copies come.

use super::*;

#[test]
fn an_open_connection_is_reset_where_the_server_expects_it() {
    let mut flow = opened();
    wire(&mut flow, &data(FIRST, 10), 0);
    let verdict = first(&mut flow, &Segment { flags: NO_MORE, ..data(0, 0) }, MS);
    assert_eq!(verdict, Verdict::of(Action::Abort, FIRST + 10));
}

#[test]
fn a_connection_that_is_watched_is_forgotten_with_its_socket() {
    let word = Segment { flags: NO_MORE, ..data(0, 0) };
    assert_eq!(wire(&mut broken(), &word, MS), Action::Abort);
    let mut flow = Flow::default();
    wire(&mut flow, &data(FIRST, 10), 0);
    assert_eq!(wire(&mut flow, &word, MS), Action::Forget);
}

#[test]
fn a_real_clients_connection_is_left_alone() {
    let mut flow = Flow::default();
    flow.copy.state = State::DIRECT;
    let verdict = first(&mut flow, &Segment { flags: NO_MORE, ..data(0, 0) }, MS);
    assert_eq!(verdict, Verdict::discard(Discard::DirectClient));
}
