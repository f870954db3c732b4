//! What becomes of a connection with a gap.

use super::*;

const LATER: u64 = 10 * WAIT_LIMIT;

#[test]
fn a_gap_that_stays_breaks_the_flow() {
    let mut flow = opened();
    let late = begins(FIRST + 10, 10);
    wire(&mut flow, &late, MS);
    assert_eq!(held(&mut flow, &late, 2 * MS).action, Action::Hold);
    assert_eq!(held(&mut flow, &late, 2 * MS + GAP_LIMIT).action, Action::Hold);
    let verdict = held(&mut flow, &late, 2 * MS + GAP_LIMIT + 1);
    assert_eq!(verdict, Verdict::discard(Discard::HoldExpired));
    assert_eq!(flow.copy.state, State::UNSYNCED);
}

#[test]
fn a_gap_is_one_though_more_waits_behind_it_than_the_window_takes() {
    let mut flow = opened();
    let waiting = [begins(FIRST + 10, 10), data(FIRST + 20, WINDOW)];
    for seg in waiting {
        wire(&mut flow, &seg, MS);
    }
    for seg in waiting {
        assert_eq!(held(&mut flow, &seg, 2 * MS).action, Action::Hold);
    }
    let verdict = held(&mut flow, &waiting[0], 3 * MS + GAP_LIMIT);
    assert_eq!(verdict, Verdict::discard(Discard::HoldExpired));
}

#[test]
fn what_tcp_has_ahead_of_a_gap_that_stays_is_withdrawn() {
    let mut flow = opened();
    assert_eq!(wire(&mut flow, &data(FIRST + 10, 10), MS), Action::Deliver);
    let late = data(FIRST + 20, 10);
    assert_eq!(wire(&mut flow, &late, AHEAD_LIMIT - MS), Action::Deliver);
    assert_eq!(withdrawn(&flow), 2);
    let verdict = first(&mut flow, &data(FIRST + 30, 10), 4 * MS + AHEAD_LIMIT);
    assert_eq!(verdict, Verdict::discard(Discard::HoldExpired));
    assert_eq!((flow.copy.state, flow.copy.ahead), (State::UNSYNCED, 0));
}

/// The order of what waited is kept for as long as a copy can wait, and no longer.
#[test]
fn a_watched_flow_leaves_the_hold_device_though_a_copy_never_came_back() {
    let mut flow = broken();
    flow.held_in += 1;
    let now = 3 * MS + GAP_LIMIT;
    assert_eq!(wire(&mut flow, &request(FIRST + 20, 50), now), Action::Hold, "behind those");
    let (later, epoch) = (now + COPY_LIMIT, flow.copy.epoch);
    assert_eq!(wire(&mut flow, &request(FIRST + 70, 50), later), Action::Discard);
    assert_eq!((flow.held(), flow.copy.epoch), (0, epoch + 1), "what still comes is stale");
}

#[test]
fn what_waits_is_judged_once_before_anything_is_taken_for_lost() {
    let mut flow = began();
    let (late, missing) = (begins(FIRST + 10, 10), begins(FIRST, 10));
    wire(&mut flow, &late, MS);
    wire(&mut flow, &missing, MS);
    answer(&mut flow);
    // The hold device is slow: other connections' copies are in it.
    assert_eq!(held(&mut flow, &late, 2 * MS + GAP_LIMIT).action, Action::Hold);
    assert_eq!(held(&mut flow, &late, 3 * MS + 2 * GAP_LIMIT).action, Action::Hold);
    assert_eq!(held(&mut flow, &missing, 3 * MS + 2 * GAP_LIMIT).action, Action::Deliver);
    assert_eq!(held(&mut flow, &late, 4 * MS + 3 * GAP_LIMIT).action, Action::Deliver);
}

#[test]
fn a_broken_flow_is_reset_and_adopted_at_a_boundary() {
    let mut flow = broken();
    let end = FIRST + 20;
    assert_eq!(wire(&mut flow, &request(end, 50), LATER), Action::Discard, "behind no CR LF");
    assert_eq!(wire(&mut flow, &request(end + 10, 58), LATER), Action::Discard, "the first");
    let next = request(end + 20, 66);
    assert_eq!(first(&mut flow, &next, LATER), Verdict::of(Action::ResetFirst, FIRST));
    assert_eq!(again(&mut flow, &next, LATER), Action::Adopt);
    answer(&mut flow);
    assert_eq!(again(&mut flow, &next, LATER), Action::Deliver);
}

/// A command that is blocked from an open connection, and the requests around it.
#[test]
fn behind_a_command_that_is_withheld_the_next_request_is_a_boundary() {
    let mut flow = opened();
    let before = Segment { ack: 50, ..data(1001, 14) };
    assert_eq!(wire(&mut flow, &before, 0), Action::Deliver);
    let command = Segment {
        blocked: true,
        crlf: true,
        request_state: RequestState::BOUNDARY.feed(b"verbosity 1\r\n"),
        ..Segment { ack: 60, ..data(1015, 13) }
    };
    assert!(wants_evidence(&flow.copy, &command, Pass::First));
    assert_eq!(first(&mut flow, &command, 0), Verdict::discard(Discard::Blocked));
    let next = request(1028, 64);
    assert_eq!(first(&mut flow, &next, 0), Verdict::of(Action::ResetFirst, 1015));
    assert_eq!(again(&mut flow, &next, 0), Action::Adopt);
}

/// It came without a reply to what was before: it is the rest of a request.
#[test]
fn behind_what_only_looks_like_a_command_there_is_no_boundary() {
    let mut flow = opened();
    assert_eq!(wire(&mut flow, &Segment { ack: 60, ..data(1001, 16) }, 0), Action::Deliver);
    let value = Segment { ack: 60, ..data(1017, 11) };
    let value =
        Segment { blocked: true, crlf: true, request_state: RequestState::BOUNDARY, ..value };
    assert_eq!(first(&mut flow, &value, 0), Verdict::discard(Discard::Blocked));
    assert_eq!(wire(&mut flow, &request(1028, 64), 0), Action::Discard);
}

#[test]
fn no_connection_is_joined_at_a_command_that_is_withheld() {
    let mut flow = Flow::default();
    assert_eq!(wire(&mut flow, &request(100, 50), 0), Action::Discard);
    let command = Segment { blocked: true, ..request(110, 58) };
    assert_eq!(first(&mut flow, &command, 0), Verdict::discard(Discard::Blocked));
    assert!(flow.copy.state == State::UNSYNCED && !has_socket(&flow));
}

#[test]
fn the_segment_that_was_dropped_lies_before_the_boundary() {
    let mut flow = broken();
    wire(&mut flow, &request(FIRST, 50), LATER);
    let verdict = first(&mut flow, &request(FIRST + 10, 58), LATER);
    assert_eq!(verdict, Verdict::discard(Discard::Unsynced));
}

#[test]
fn the_segment_that_was_dropped_proves_nothing_if_it_is_no_request() {
    let mut flow = broken();
    let verdict = first(&mut flow, &request(FIRST + 20, 58), LATER);
    assert_eq!(verdict, Verdict::discard(Discard::Unsynced));
}

#[test]
fn the_rest_of_a_request_proves_nothing() {
    let mut flow = opened();
    wire(&mut flow, &data(FIRST, 10), MS);
    // What the segment before acknowledged: the server has not spoken since.
    let rest = request(FIRST + 20, 50);
    for now in [MS, 2 * MS, 3 * MS + GAP_LIMIT] {
        let verdict =
            if now == MS { first(&mut flow, &rest, now) } else { held(&mut flow, &rest, now) };
        assert_eq!(verdict.action == Action::Hold, now < GAP_LIMIT);
    }
    let next = request(FIRST + 30, 58);
    assert_eq!(wire(&mut flow, &next, LATER), Action::Discard);
    assert_eq!(wire(&mut flow, &request(FIRST + 40, 66), LATER), Action::ResetFirst);
}

#[test]
fn what_waits_behind_a_boundary_is_kept() {
    let mut flow = opened();
    let late: [Segment; 4] = [1, 2, 3, 4].map(|n| request(FIRST + 10 * n, 50 + 8 * n));
    for seg in late {
        assert_eq!(wire(&mut flow, &seg, MS), Action::Hold);
    }
    for seg in late {
        assert_eq!(held(&mut flow, &seg, 2 * MS).action, Action::Hold);
    }
    let now = 3 * MS + GAP_LIMIT;
    assert_eq!(held(&mut flow, &late[0], now).reason, Discard::HoldExpired);
    assert_eq!(held(&mut flow, &late[1], now).action, Action::ResetFirst);
    assert_eq!((flow.held(), flow.copy.epoch), (2, 0));
    assert_eq!(again(&mut flow, &late[1], now), Action::Adopt);
    answer(&mut flow);
    assert_eq!(again(&mut flow, &late[1], now), Action::Deliver);
    for seg in &late[2..] {
        assert_eq!(held(&mut flow, seg, now).action, Action::Deliver);
    }
}

#[test]
fn the_first_of_those_that_wait_breaks_the_flow() {
    let mut flow = opened();
    let late: [Segment; 3] = [1, 2, 3].map(|n| request(FIRST + 10 * n, 50 + 8 * n));
    for seg in [late[1], late[0], late[2]] {
        assert_eq!(wire(&mut flow, &seg, MS), Action::Hold);
    }
    for seg in [late[1], late[0], late[2]] {
        assert_eq!(held(&mut flow, &seg, 2 * MS).action, Action::Hold);
    }
    let now = 3 * MS + GAP_LIMIT;
    for seg in [late[1], late[2]] {
        assert_eq!(held(&mut flow, &seg, now).action, Action::Hold);
    }
    assert_eq!(held(&mut flow, &late[0], now).reason, Discard::HoldExpired);
    assert_eq!(held(&mut flow, &late[1], now).action, Action::ResetFirst);
}

#[test]
fn if_the_first_is_lost_another_does_after_a_while() {
    let mut flow = opened();
    let late: [Segment; 2] = [1, 2].map(|n| request(FIRST + 10 * n, 50 + 8 * n));
    for seg in late {
        wire(&mut flow, &seg, MS);
    }
    for seg in late {
        held(&mut flow, &seg, 2 * MS);
    }
    assert_eq!(held(&mut flow, &late[1], WAIT_LIMIT).action, Action::Hold);
    assert_eq!(held(&mut flow, &late[1], WAIT_LIMIT + MS + 1).reason, Discard::HoldExpired);
}

#[test]
fn what_comes_between_a_reset_and_its_copy_waits() {
    let mut flow = broken();
    wire(&mut flow, &request(FIRST + 20, 50), LATER);
    wire(&mut flow, &request(FIRST + 30, 58), LATER);
    let (next, its) = (request(FIRST + 40, 66), begins(FIRST + 50, 10));
    assert_eq!(wire(&mut flow, &next, LATER), Action::ResetFirst);
    assert_eq!(wire(&mut flow, &its, LATER), Action::Hold);
    assert_eq!(again(&mut flow, &next, LATER), Action::Adopt);
    answer(&mut flow);
    assert_eq!(again(&mut flow, &next, LATER), Action::Deliver);
    assert_eq!(held(&mut flow, &its, LATER).action, Action::Deliver);
}

#[test]
fn nothing_waits_for_a_copy_that_was_lost() {
    let mut flow = broken();
    wire(&mut flow, &request(FIRST + 20, 50), LATER);
    wire(&mut flow, &request(FIRST + 30, 58), LATER);
    assert_eq!(wire(&mut flow, &request(FIRST + 40, 66), LATER), Action::ResetFirst);
    let its = data(FIRST + 50, 10);
    assert_eq!(wire(&mut flow, &its, LATER), Action::Hold);
    assert_eq!(held(&mut flow, &its, LATER).action, Action::Hold, "it may be behind this one");
    let later = LATER + GAP_LIMIT + 1;
    assert_eq!(held(&mut flow, &its, later).action, Action::Hold, "or something else may");
    assert_eq!(held(&mut flow, &its, later), Verdict::discard(Discard::Unsynced));
    assert_eq!(wire(&mut flow, &its, later), Action::Discard);
}

/// However many wait, what comes back does not overtake the copy that follows the reset.
#[test]
fn what_comes_back_waits_for_the_copy_behind_a_reset() {
    let mut flow = opened();
    let late: [Segment; 3] = [1, 2, 3].map(|n| request(FIRST + 10 * n, 50 + 8 * n));
    for seg in &late {
        wire(&mut flow, seg, MS);
    }
    for seg in &late {
        held(&mut flow, seg, 2 * MS);
    }
    let now = 3 * MS + GAP_LIMIT;
    assert_eq!(held(&mut flow, &late[0], now).reason, Discard::HoldExpired);
    flow.held_in += ORDER_LIMIT + 1;
    assert_eq!(held(&mut flow, &late[1], now).action, Action::ResetFirst);
    assert_eq!(held(&mut flow, &late[2], now).action, Action::Hold);
    assert_eq!(again(&mut flow, &late[1], now), Action::Adopt);
    assert_eq!(held(&mut flow, &late[2], now).action, Action::Hold, "no SYN-ACK yet");
}

/// The client got replies to many requests since: what is missing is lost.
#[test]
fn many_replies_end_the_wait_for_a_gap() {
    let mut flow = opened();
    let late = |n: u32| request(FIRST + 10 * n, 50 + 8 * n);
    let replies = u32::from(REPLIES_LIMIT);
    for n in 1..replies {
        wire(&mut flow, &late(n), MS);
        // What comes back again proves no more.
        for _ in 0..3 {
            assert_eq!(held(&mut flow, &late(n), MS).action, Action::Hold);
        }
    }
    assert_eq!(held(&mut flow, &late(1), MS).action, Action::Hold, "one is missing");
    assert_eq!(wire(&mut flow, &late(replies), MS), Action::Hold);
    assert_eq!(held(&mut flow, &late(replies), MS).action, Action::Hold, "not the first");
    assert_eq!(held(&mut flow, &late(1), MS).reason, Discard::HoldExpired);
    assert_eq!(held(&mut flow, &late(2), MS).action, Action::ResetFirst);
}

#[test]
fn what_comes_back_after_a_break_is_put_in_order() {
    let mut flow = opened();
    let late: [Segment; 5] = [1, 2, 3, 4, 5].map(|n| request(FIRST + 10 * n, 50 + 8 * n));
    let order = [late[2], late[4], late[0], late[3], late[1]];
    for seg in order {
        assert_eq!(wire(&mut flow, &seg, MS), Action::Hold);
    }
    for seg in order {
        assert_eq!(held(&mut flow, &seg, 2 * MS).action, Action::Hold);
    }
    let now = 3 * MS + GAP_LIMIT;
    let mut verdict = |seg: &Segment| {
        let verdict = held(&mut flow, seg, now);
        if verdict.action == Action::Adopt {
            answer(&mut flow);
        }
        verdict.action
    };
    let actions: std::vec::Vec<_> = order.iter().map(&mut verdict).collect();
    use Action::{Discard, Hold, ResetFirst};
    assert_eq!(actions, [Hold, Hold, Discard, Hold, ResetFirst]);
    assert_eq!(again(&mut flow, &late[1], now), Action::Adopt);
    answer(&mut flow);
    assert_eq!(again(&mut flow, &late[1], now), Action::Deliver);
    for seg in &late[2..] {
        assert_eq!(held(&mut flow, seg, now).action, Action::Deliver);
    }
}

#[test]
fn a_second_gap_behind_a_break_is_passed_after_a_round() {
    let mut flow = opened();
    let late: [Segment; 3] = [1, 3, 4].map(|n| request(FIRST + 10 * n, 50 + 8 * n));
    for seg in late {
        wire(&mut flow, &seg, MS);
    }
    for seg in late {
        held(&mut flow, &seg, 2 * MS);
    }
    let now = 3 * MS + GAP_LIMIT;
    assert_eq!(held(&mut flow, &late[0], now).reason, Discard::HoldExpired);
    for seg in &late[1..] {
        assert_eq!(held(&mut flow, seg, now).action, Action::Hold);
    }
    assert_eq!(held(&mut flow, &late[1], now), Verdict::discard(Discard::Unsynced));
    assert_eq!(held(&mut flow, &late[2], now).action, Action::ResetFirst);
}

#[test]
fn what_lies_before_the_boundary_is_lost_and_no_repetition() {
    let mut flow = broken();
    wire(&mut flow, &request(FIRST + 20, 50), LATER);
    wire(&mut flow, &request(FIRST + 30, 58), LATER);
    let next = request(FIRST + 40, 66);
    wire(&mut flow, &next, LATER);
    assert_eq!(again(&mut flow, &next, LATER), Action::Adopt);
    answer(&mut flow);
    assert_eq!(again(&mut flow, &next, LATER), Action::Deliver);
    flow.reply.rcv_nxt = FIRST + 50;
    let before = held(&mut flow, &data(FIRST + 20, 10), LATER);
    assert_eq!(before, Verdict::discard(Discard::Unsynced));
    let verdict = first(&mut flow, &next, LATER);
    assert_eq!(verdict, Verdict::discard(Discard::Duplicate));
}

#[test]
fn copies_queue_while_the_broken_flows_wait() {
    let mut flow = opened();
    for seg in [begins(FIRST + 10, 10), begins(FIRST + 20, 10)] {
        wire(&mut flow, &seg, MS);
    }
    for seg in [begins(FIRST + 10, 10), begins(FIRST + 20, 10)] {
        held(&mut flow, &seg, MS);
    }
    held(&mut flow, &begins(FIRST + 10, 10), 2 * MS + GAP_LIMIT);
    assert_eq!(flow.copy.state, State::UNSYNCED);
    assert_eq!(wire(&mut flow, &request(FIRST + 30, 58), 2 * MS + GAP_LIMIT), Action::Hold);
}

#[test]
fn an_opening_that_waited_keeps_what_waits_behind_it() {
    let mut flow = opened();
    let late = begins(FIRST + 10, 10);
    wire(&mut flow, &late, MS);
    wire(&mut flow, &late, MS);
    held(&mut flow, &late, MS);
    held(&mut flow, &late, MS);
    held(&mut flow, &late, 2 * MS + GAP_LIMIT);
    let (next, its) = (opens(ISN + 700_000), data(ISN + 700_011, 10));
    let now = 3 * MS + GAP_LIMIT;
    assert_eq!(wire(&mut flow, &next, now), Action::Hold);
    assert_eq!(wire(&mut flow, &its, now), Action::Hold);
    held(&mut flow, &late, now);
    assert_eq!(held(&mut flow, &next, now).action, Action::ResetFirst);
    assert_eq!(again(&mut flow, &next, now), Action::Open);
    answer(&mut flow);
    assert_eq!((flow.held(), flow.copy.epoch), (1, 0));
    assert_eq!(again(&mut flow, &next, now), Action::Deliver);
    assert_eq!(held(&mut flow, &its, now).action, Action::Deliver);
}

#[test]
fn a_stray_socket_is_reset_where_it_expects() {
    let mut flow = began();
    // Its challenge ACK, which `reply::judge` notes.
    flow.reply.rcv_nxt = 4242;
    wire(&mut flow, &data(FIRST, 10), 0);
    let verdict = held(&mut flow, &data(FIRST, 10), WAIT_LIMIT + 3 * MS);
    assert_eq!((verdict.action, verdict.number), (Action::ForgetSocket, 4242));
}
