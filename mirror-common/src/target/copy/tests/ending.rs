//! How a connection ends.

use super::*;

#[test]
fn a_fin_is_delivered_and_the_flow_kept_for_the_servers() {
    let mut flow = opened();
    assert_eq!(wire(&mut flow, &segment(FIRST, 10, FIN), 0), Action::Deliver);
    assert_eq!(flow.copy.next_seq, FIRST + 11);
    assert!(flow.copy.has(CopySide::BIT_FIN));
}

#[test]
fn a_fin_behind_the_servers_is_the_last() {
    let mut flow = opened();
    flow.reply.bits |= ReplySide::BIT_FIN;
    let verdict = first(&mut flow, &segment(FIRST, 0, FIN), 0);
    assert_eq!(verdict, Verdict::of(Action::DeliverLast, SND_NXT));
}

#[test]
fn a_reset_becomes_a_fin_so_that_memcached_reads_what_came_before() {
    let mut flow = opened();
    wire(&mut flow, &data(FIRST, 10), MS);
    let reset = segment(FIRST + 10, 0, RST);
    assert_eq!(first(&mut flow, &reset, 2 * MS), Verdict::of(Action::Deliver, SND_NXT));
    assert_eq!(flow.copy.next_seq, FIRST + 11);
    assert!(flow.copy.has(CopySide::BIT_FIN));
    let twice = first(&mut flow, &reset, 3 * MS);
    assert_eq!(twice, Verdict::discard(Discard::Duplicate));
}

#[test]
fn a_reset_behind_a_fin_adds_nothing() {
    let mut flow = opened();
    wire(&mut flow, &segment(FIRST, 10, FIN), MS);
    for seq in [FIRST + 10, FIRST + 11] {
        let verdict = first(&mut flow, &segment(seq, 0, RST), 2 * MS);
        assert_eq!(verdict, Verdict::discard(Discard::Duplicate));
    }
}

#[test]
fn a_reset_behind_the_servers_fin_ends_the_connection() {
    let mut flow = opened();
    flow.reply.bits |= ReplySide::BIT_FIN;
    let verdict = first(&mut flow, &segment(FIRST, 0, RST), MS);
    assert_eq!(verdict, Verdict::of(Action::Abort, FIRST));
}

#[test]
fn a_reset_that_is_late_hits_what_was_delivered_though_it_is_not_acknowledged_yet() {
    let mut flow = opened();
    wire(&mut flow, &data(FIRST, 10), MS);
    let verdict = first(&mut flow, &segment(FIRST + 5, 0, RST), 2 * MS);
    assert_eq!(verdict, Verdict::of(Action::Abort, FIRST + 10));
}

#[test]
fn a_reset_with_a_payload_delivers_none_of_it() {
    let verdict = first(&mut opened(), &segment(FIRST, 5, RST), MS);
    assert_eq!(verdict, Verdict::of(Action::Abort, FIRST));
}

#[test]
fn a_late_reset_long_after_hits_what_the_server_acknowledged() {
    let mut flow = opened();
    wire(&mut flow, &data(FIRST, 10), MS);
    flow.reply.rcv_nxt = FIRST + 4;
    let verdict = first(&mut flow, &segment(FIRST + 5, 0, RST), 2 * MS + ACK_DELAY);
    assert_eq!(verdict, Verdict::of(Action::Abort, FIRST + 4));
}

#[test]
fn a_reset_before_the_syn_ack_hits_the_request_socket() {
    let mut flow = began();
    let verdict = first(&mut flow, &segment(FIRST, 0, RST), 0);
    assert_eq!(verdict, Verdict::of(Action::Abort, FIRST));
}

#[test]
fn a_reset_waits_for_the_data_before_it() {
    let mut flow = opened();
    wire(&mut flow, &data(FIRST, WINDOW), 0);
    let (rest, reset) = (data(FIRST + WINDOW, 10), segment(FIRST + WINDOW + 10, 0, RST));
    assert_eq!(wire(&mut flow, &rest, 0), Action::Hold);
    assert_eq!(wire(&mut flow, &reset, 0), Action::Hold);
    assert_eq!(held(&mut flow, &rest, MS).action, Action::Hold);
    assert_eq!(held(&mut flow, &reset, MS).action, Action::Hold);
    flow.reply.edge += 10;
    assert_eq!(held(&mut flow, &rest, 2 * MS).action, Action::Deliver);
    assert_eq!(held(&mut flow, &reset, 2 * MS).action, Action::Hold, "a FIN needs room");
    flow.reply.edge += 1;
    assert_eq!(held(&mut flow, &reset, 3 * MS).action, Action::Deliver);
}

#[test]
fn an_end_behind_a_loss_ends_the_connection_all_the_same() {
    for flag in [RST, FIN] {
        let mut flow = opened();
        let end = segment(FIRST + 10, 0, flag);
        assert_eq!(wire(&mut flow, &end, MS), Action::Hold);
        assert_eq!(held(&mut flow, &end, MS).action, Action::Hold);
        let verdict = held(&mut flow, &end, 2 * MS + GAP_LIMIT);
        assert_eq!(verdict, Verdict::of(Action::Abort, FIRST));
    }
}

#[test]
fn the_end_of_a_watched_connection_forgets_it() {
    for seg in [segment(7, 0, RST), segment(7, 0, FIN), segment(7, 20, FIN)] {
        assert_eq!(wire(&mut Flow::default(), &seg, 0), Action::Forget);
    }
}

#[test]
fn the_end_of_a_broken_connection_resets_its_socket() {
    for seg in [segment(7, 0, RST), segment(7, 0, FIN), segment(7, 20, FIN)] {
        let verdict = first(&mut broken(), &seg, 2 * GAP_LIMIT);
        assert_eq!(verdict, Verdict::of(Action::Abort, FIRST));
    }
}
