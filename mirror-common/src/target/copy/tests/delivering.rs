//! What a synchronised connection is given.

use super::*;

#[test]
fn sequence_numbers_wrap() {
    let mut flow = Flow::default();
    let isn = u32::MAX - 5;
    wire(&mut flow, &opens(isn), 0);
    answer(&mut flow);
    assert_eq!(wire(&mut flow, &data(isn + 1, 10), 0), Action::Deliver);
    assert_eq!(flow.copy.next_seq, 5);
    assert_eq!(wire(&mut flow, &data(5, 10), 0), Action::Deliver);
    let verdict = first(&mut flow, &data(5, 10), REPEAT_LIMIT + 1);
    assert_eq!(verdict.action, Action::Deliver, "the server has not acknowledged it yet");
    flow.reply.rcv_nxt = 15;
    let verdict = first(&mut flow, &data(isn + 1, 10), 0);
    assert_eq!(verdict, Verdict::discard(Discard::Duplicate));
    assert_eq!(wire(&mut flow, &begins(20, 10), 0), Action::Hold, "a gap");
}

#[test]
fn up_to_the_window_edge_and_no_further() {
    let mut flow = opened();
    assert_eq!(wire(&mut flow, &data(FIRST, WINDOW), 0), Action::Deliver);
    let next = data(FIRST + WINDOW, 1);
    assert_eq!(wire(&mut flow, &next, 0), Action::Hold);
    assert_eq!(held(&mut flow, &next, MS).action, Action::Hold);
    flow.reply.edge += 1;
    assert_eq!(held(&mut flow, &next, 2 * MS).action, Action::Deliver);
}

#[test]
fn a_fin_needs_room_too() {
    let mut flow = opened();
    assert_eq!(wire(&mut flow, &segment(FIRST, WINDOW, FIN), 0), Action::Hold);
}

#[test]
fn a_closed_window_is_waited_for_longer_than_a_gap() {
    let mut flow = opened();
    wire(&mut flow, &data(FIRST, WINDOW), 0);
    let next = data(FIRST + WINDOW, 1);
    wire(&mut flow, &next, 0);
    assert_eq!(held(&mut flow, &next, WAIT_LIMIT).action, Action::Hold);
    let verdict = held(&mut flow, &next, WAIT_LIMIT + 1);
    assert_eq!(verdict, Verdict::discard(Discard::HoldExpired));
}

#[test]
fn what_follows_waits_for_the_window_too() {
    let mut flow = opened();
    wire(&mut flow, &data(FIRST, WINDOW), 0);
    let waiting = [data(FIRST + WINDOW, 10), data(FIRST + WINDOW + 10, 10)];
    for seg in waiting {
        wire(&mut flow, &seg, 0);
    }
    for now in [MS, MS + GAP_LIMIT + 1, WAIT_LIMIT] {
        for seg in waiting {
            assert_eq!(held(&mut flow, &seg, now).action, Action::Hold);
        }
    }
    assert_eq!(held(&mut flow, &waiting[0], WAIT_LIMIT + 1).reason, Discard::HoldExpired);
}

#[test]
fn a_gap_is_filled() {
    let mut flow = opened();
    let [one, two, three] = [0, 10, 20].map(|at| begins(FIRST + at, 10));
    assert_eq!(wire(&mut flow, &two, 0), Action::Hold);
    assert_eq!(held(&mut flow, &two, MS).action, Action::Hold);
    assert_eq!(wire(&mut flow, &one, MS), Action::Deliver, "it is what the other waits for");
    assert_eq!(wire(&mut flow, &three, MS), Action::Hold, "behind the one that waits");
    assert_eq!(held(&mut flow, &two, 2 * MS).action, Action::Deliver);
    assert_eq!(held(&mut flow, &three, 2 * MS).action, Action::Deliver);
    assert_eq!((flow.held(), flow.copy.gap_at), (0, 0));
}

/// The hold device dropped a copy: its flow does not stay there.
#[test]
fn what_is_next_is_delivered_though_a_copy_never_came_back() {
    let mut flow = opened();
    let (one, two) = (begins(FIRST, 10), begins(FIRST + 10, 10));
    wire(&mut flow, &two, 0);
    assert_eq!(wire(&mut flow, &one, MS), Action::Deliver);
    // The client sends it again.
    assert_eq!(wire(&mut flow, &two, MS), Action::Deliver);
    for n in 2..100 {
        let seq = FIRST + 10 * n;
        assert_eq!(wire(&mut flow, &begins(seq, 10), u64::from(n) * MS), Action::Deliver);
    }
    assert_eq!(flow.held(), 1, "it never came back");
}

#[test]
fn the_inside_of_a_request_does_not_wait_for_what_is_missing() {
    let mut flow = opened();
    for at in [30, 10, 20] {
        assert_eq!(wire(&mut flow, &data(FIRST + at, 10), 0), Action::Deliver);
    }
    assert_eq!((flow.copy.next_seq, flow.copy.ahead, withdrawn(&flow)), (FIRST, 3, 3));
    assert_eq!(wire(&mut flow, &data(FIRST, 10), MS), Action::Deliver);
    // The server has it all.
    flow.reply.rcv_nxt = FIRST + 40;
    assert_eq!(withdrawn(&flow), 0);
    assert_eq!(wire(&mut flow, &begins(FIRST + 40, 10), 2 * MS), Action::Deliver);
    assert_eq!((flow.copy.next_seq, flow.copy.ahead), (FIRST + 50, 0));
}

/// The client sends the missing segment again, joined with the one behind it.
#[test]
fn nothing_is_ahead_any_more_when_it_was_sent_again_in_order() {
    let mut flow = opened();
    wire(&mut flow, &data(FIRST + 10, 10), 0);
    assert_eq!(wire(&mut flow, &data(FIRST, 20), MS), Action::Deliver);
    assert_eq!(flow.copy.ahead, 0);
    flow.reply.rcv_nxt = FIRST + 20;
    // A long time later, two overtake each other.
    let later = 10 * WAIT_LIMIT;
    assert_eq!(wire(&mut flow, &data(FIRST + 30, 10), later), Action::Deliver);
    assert_eq!(wire(&mut flow, &data(FIRST + 40, 10), later), Action::Deliver);
    assert_eq!(wire(&mut flow, &data(FIRST + 20, 10), later), Action::Deliver);
}

#[test]
fn what_is_ahead_is_no_more_than_there_is_room_for_before_its_end() {
    let mut flow = opened();
    for at in [1000, 2000, 3000] {
        wire(&mut flow, &Segment { segments: 2, ..data(FIRST + at, 900) }, 0);
    }
    assert_eq!(flow.copy.ahead, 6);
    wire(&mut flow, &data(FIRST, 1000), 0);
    flow.reply.rcv_nxt = FIRST + 2900;
    wire(&mut flow, &data(FIRST + 3000, 900), 0);
    assert_eq!((flow.copy.next_seq, flow.copy.ahead), (FIRST + 2900, 3), "1000 bytes");
}

#[test]
fn an_earlier_connections_inside_does_not_go_ahead() {
    let mut flow = opened();
    flow.copy.last_ack = 50;
    let other = Segment { ack: 1 << 30, ..data(FIRST + 10, 10) };
    assert_eq!(wire(&mut flow, &other, 0), Action::Hold);
    assert_eq!(wire(&mut flow, &data(FIRST + 10, 10), 0), Action::Deliver);
}

#[test]
fn what_the_server_never_acknowledges_was_dropped_behind() {
    let mut flow = opened();
    assert_eq!(wire(&mut flow, &begins(FIRST, 10), 0), Action::Deliver);
    let next = begins(FIRST + 10, 10);
    assert_eq!(wire(&mut flow, &next, WAIT_LIMIT), Action::Deliver);
    let late = begins(FIRST + 20, 10);
    let verdict = first(&mut flow, &late, WAIT_LIMIT + 3 * MS);
    assert_eq!(verdict, Verdict::discard(Discard::HoldExpired));
    assert_eq!((flow.copy.state, reset_at(&flow, 3 * WAIT_LIMIT)), (State::UNSYNCED, FIRST));
}

#[test]
fn a_server_that_was_asked_nothing_for_long_lost_nothing() {
    let mut flow = opened();
    assert_eq!(wire(&mut flow, &begins(FIRST, 10), 0), Action::Deliver);
    flow.reply.rcv_nxt = FIRST + 10;
    assert_eq!(wire(&mut flow, &begins(FIRST + 10, 10), 10 * WAIT_LIMIT), Action::Deliver);
}

#[test]
fn the_inside_of_a_request_that_waits_waits_with_it() {
    let mut flow = opened();
    assert_eq!(wire(&mut flow, &data(FIRST + 10, 10), 0), Action::Deliver);
    assert_eq!(wire(&mut flow, &begins(FIRST + 20, 10), 0), Action::Hold);
    assert_eq!(wire(&mut flow, &data(FIRST + 30, 10), 0), Action::Hold);
    assert_eq!(wire(&mut flow, &data(FIRST + 10, 5), 0), Action::Deliver, "before it");
    assert_eq!(held(&mut flow, &data(FIRST + 30, 10), MS).action, Action::Hold);
}

#[test]
fn nothing_goes_ahead_that_the_window_does_not_take() {
    let mut flow = opened();
    assert_eq!(wire(&mut flow, &data(FIRST + 10, WINDOW - 10), 0), Action::Deliver);
    assert_eq!(wire(&mut flow, &data(FIRST + 11, WINDOW - 10), 0), Action::Hold);
    assert_eq!(wire(&mut flow, &segment(FIRST + 10, 10, FIN), 0), Action::Hold, "nor an end");
}

#[test]
fn the_wait_is_each_copys_own() {
    let mut flow = opened();
    wire(&mut flow, &data(FIRST, WINDOW), 0);
    let next = data(FIRST + WINDOW, 10);
    wire(&mut flow, &next, 0);
    // Something else moved a moment ago.
    let now = 10 * WAIT_LIMIT;
    flow.copy.stalled_at = now;
    flow.reply.rcv_nxt = FIRST + WINDOW;
    assert_eq!(held_for(&mut flow, &next, COPY_LIMIT, now).action, Action::Hold);
    assert_eq!(held_for(&mut flow, &next, COPY_LIMIT + 1, now).reason, Discard::HoldExpired);
}

#[test]
fn a_retransmission_goes_where_it_is_missing() {
    let mut flow = opened();
    wire(&mut flow, &data(FIRST, 10), 0);
    let twice = first(&mut flow, &data(FIRST, 10), REPEAT_LIMIT);
    assert_eq!(twice, Verdict::discard(Discard::Duplicate), "a copy of the copy");
    assert_eq!(wire(&mut flow, &data(FIRST, 10), REPEAT_LIMIT + 1), Action::Deliver);
    flow.reply.rcv_nxt = FIRST + 10;
    let verdict = first(&mut flow, &data(FIRST, 10), 0);
    assert_eq!(verdict, Verdict::discard(Discard::Duplicate));
    let verdict = first(&mut flow, &data(FIRST, 15), 0);
    assert_eq!(verdict.action, Action::Deliver, "the client sent more with it this time");
    assert_eq!(flow.copy.next_seq, FIRST + 15);
}

#[test]
fn what_lies_far_back_is_another_connections() {
    let mut flow = opened();
    wire(&mut flow, &data(FIRST, 10), MS);
    let early = FIRST.wrapping_sub(1 << 30);
    let verdict = first(&mut flow, &request(early, 50), MS);
    assert_eq!(verdict, Verdict::discard(Discard::Unsynced));
    let next = request(early + 10, 58);
    assert_eq!(first(&mut flow, &next, MS), Verdict::of(Action::ResetFirst, FIRST + 10));
    assert_eq!(again(&mut flow, &next, MS), Action::Adopt);
}

#[test]
fn keepalive_probes_are_nothing_for_memcached() {
    let mut flow = opened();
    wire(&mut flow, &data(FIRST, 10), 0);
    flow.reply.rcv_nxt = FIRST + 10;
    flow.reply.snd_nxt += 5;
    let probe = data(FIRST + 9, 0);
    assert_eq!(first(&mut flow, &probe, 0), Verdict::discard(Discard::PureAck));
    let probe = data(FIRST + 9, 1);
    assert_eq!(first(&mut flow, &probe, 0), Verdict::discard(Discard::Duplicate));
}

#[test]
fn a_pure_ack_carries_what_the_puppet_owes() {
    let mut flow = opened();
    wire(&mut flow, &data(FIRST, 10), 0);
    flow.reply.snd_nxt += 5;
    let ack = data(FIRST + 10, 0);
    assert_eq!(first(&mut flow, &ack, 0), Verdict::of(Action::Deliver, SND_NXT + 5));
    assert_eq!(first(&mut flow, &ack, 0), Verdict::discard(Discard::PureAck));
}

#[test]
fn a_real_clients_flow_takes_no_copy() {
    let mut flow = opened();
    flow.copy.state = State::DIRECT;
    for seg in [opens(5), data(FIRST, 10), segment(FIRST, 0, RST), segment(FIRST, 0, FIN)] {
        assert_eq!(first(&mut flow, &seg, 0), Verdict::discard(Discard::DirectClient));
    }
}

#[test]
fn copies_that_never_came_back_are_given_up() {
    let mut flow = opened();
    wire(&mut flow, &begins(FIRST + 10, 10), 0);
    assert_eq!(wire(&mut flow, &begins(FIRST + 20, 10), LOST_LIMIT), Action::Hold);
    assert_eq!((flow.held(), flow.copy.epoch), (2, 0));
    assert_eq!(wire(&mut flow, &begins(FIRST + 30, 10), LOST_LIMIT + 1), Action::Hold);
    assert_eq!((flow.held(), flow.copy.epoch), (1, 1));
}
