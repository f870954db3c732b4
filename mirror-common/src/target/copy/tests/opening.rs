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
fn a_syn_ack_that_never_comes_ends_the_flow() {
    let mut flow = began();
    wire(&mut flow, &data(FIRST, 10), 0);
    let verdict = held(&mut flow, &data(FIRST, 10), WAIT_LIMIT + 3 * MS);
    let reason = Discard::Unanswered;
    assert_eq!(verdict, Verdict { action: Action::ForgetSocket, number: FIRST, reason });
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
fn a_syn_is_sent_again_until_it_is_answered() {
    let mut flow = began();
    wire(&mut flow, &data(FIRST, 10), 0);
    assert_eq!(held(&mut flow, &data(FIRST, 10), SYN_REPEAT / 2).action, Action::Hold);
    let mut now = 0;
    for _ in 0..3 {
        now += SYN_REPEAT + 3 * MS;
        let verdict = held(&mut flow, &data(FIRST, 10), now);
        assert_eq!(verdict, Verdict::of(Action::OpenAgain, ISN));
        assert_eq!(again(&mut flow, &data(FIRST, 10), now), Action::Hold);
        assert_eq!(held(&mut flow, &data(FIRST, 10), now + MS).action, Action::Hold);
    }
    answer(&mut flow);
    assert_eq!(held(&mut flow, &data(FIRST, 10), now + MS).action, Action::Deliver);
    assert_eq!(flow.held(), 0);
}

#[test]
fn later_data_opens_at_the_first() {
    let mut flow = Flow::default();
    let second = Segment { seq: FIRST + 100, ..opens(ISN) };
    assert_eq!(first(&mut flow, &second, 0), Verdict::of(Action::Open, ISN));
    assert_eq!(flow.copy.next_seq, FIRST);
}

#[test]
fn what_follows_the_first_is_queued_behind_it() {
    let mut flow = began();
    answer(&mut flow);
    let second = data(FIRST + 10, 10);
    assert_eq!(wire(&mut flow, &second, 0), Action::Requeue);
    assert_eq!(again(&mut flow, &data(FIRST, 10), 0), Action::Deliver);
    assert_eq!(again(&mut flow, &second, 0), Action::Deliver);
}

#[test]
fn a_reset_opens_nothing() {
    let mut flow = Flow::default();
    assert_eq!(wire(&mut flow, &Segment { flags: RST, ..opens(ISN) }, 0), Action::Forget);
}

#[test]
fn data_behind_another_syn_resets_and_opens() {
    let mut flow = opened();
    wire(&mut flow, &data(FIRST, 10), 0);
    let next = opens(ISN + 700_000);
    assert_eq!(first(&mut flow, &next, 0), Verdict::of(Action::ResetFirst, FIRST + 10));
    assert_eq!(again(&mut flow, &next, 0), Action::Open);
    assert_eq!(flow.copy.next_seq, ISN + 700_001);
    assert_eq!(flow.reply.bits, 0);
}

#[test]
fn what_waits_when_the_next_connection_speaks_is_stale() {
    let mut flow = opened();
    wire(&mut flow, &data(FIRST + 10, 10), 0);
    let epoch = flow.copy.epoch;
    assert_eq!(wire(&mut flow, &opens(ISN + 700_000), 0), Action::ResetFirst);
    assert_ne!(flow.copy.epoch, epoch);
    assert_eq!(flow.held(), 0);
}
