//! How a connection begins.

use super::*;

#[test]
fn a_syn_opens_and_its_data_acknowledges_the_target() {
    let mut flow = opened();
    let verdict = first(&mut flow, &data(FIRST, 10), 0);
    assert_eq!(verdict, Verdict::of(Action::Deliver, SND_NXT));
    assert_eq!(flow.copy.next_seq, FIRST + 10);
    assert_eq!(flow.acked, SND_NXT);
}

#[test]
fn data_waits_for_the_syn_ack() {
    let mut flow = began();
    assert_eq!(wire(&mut flow, &data(FIRST, 10), 0), Action::Hold);
    assert_eq!(held(&mut flow, &data(FIRST, 10), MS).action, Action::Hold);
    answer(&mut flow);
    assert_eq!(held(&mut flow, &data(FIRST, 10), 2 * MS).action, Action::Deliver);
    assert_eq!(flow.held(), 0);
}

#[test]
fn a_syn_ack_that_never_comes_breaks_the_flow() {
    let mut flow = began();
    wire(&mut flow, &data(FIRST, 10), 0);
    assert_eq!(held(&mut flow, &data(FIRST, 10), WAIT_LIMIT).action, Action::Hold);
    let verdict = held(&mut flow, &data(FIRST, 10), WAIT_LIMIT + 1);
    assert_eq!(verdict, Verdict::discard(Discard::HoldExpired));
    assert!(flow.copy.has(CopySide::BIT_SOCKET));
}

#[test]
fn the_clients_handshake_ack_is_not_needed() {
    for mut flow in [began(), opened()] {
        flow.acked = flow.reply.snd_nxt;
        let verdict = first(&mut flow, &data(FIRST, 0), 0);
        assert_eq!(verdict, Verdict::discard(Discard::PureAck));
    }
}

#[test]
fn a_syn_sent_twice_is_passed_until_it_is_answered() {
    let mut flow = began();
    let twice = first(&mut flow, &syn(ISN), REPEAT_LIMIT);
    assert_eq!(twice, Verdict::discard(Discard::Duplicate), "a copy of the copy");
    let later = REPEAT_LIMIT + 1;
    assert_eq!(wire(&mut flow, &syn(ISN), later), Action::PassSyn);
    answer(&mut flow);
    assert_eq!(first(&mut flow, &syn(ISN), later), Verdict::discard(Discard::Duplicate));
}

#[test]
fn a_syn_ack_of_the_client_opens_nothing() {
    let mut flow = Flow::default();
    let verdict = first(&mut flow, &segment(ISN, 0, SYN), 0);
    assert_eq!(verdict, Verdict::discard(Discard::NoFlow));
}

#[test]
fn a_new_syn_on_the_4_tuple_resets_and_opens() {
    let mut flow = opened();
    wire(&mut flow, &data(FIRST, 10), 0);
    let next = syn(ISN + 700_000);
    assert_eq!(first(&mut flow, &next, 0), Verdict::of(Action::ResetFirst, FIRST + 10));
    assert_eq!(again(&mut flow, &next, 0), Action::PassSyn);
    assert_eq!(flow.copy.next_seq, ISN + 700_001);
    assert_eq!(flow.reply.bits, 0);
}

#[test]
fn what_waits_when_a_new_syn_comes_is_stale() {
    let mut flow = opened();
    wire(&mut flow, &data(FIRST + 10, 10), 0);
    let epoch = flow.copy.epoch;
    assert_eq!(wire(&mut flow, &syn(ISN + 700_000), 0), Action::ResetFirst);
    assert_ne!(flow.copy.epoch, epoch);
    assert_eq!(flow.held(), 0);
}
