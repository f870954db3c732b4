//! Each transition by name.

use super::*;

const ISN: u32 = 1000;
const FIRST: u32 = ISN + 1;
/// What the target's server has sent by [`opened`]: its SYN.
const SND_NXT: u32 = 9001;
const WINDOW: u32 = 5000;
const MS: u64 = 1_000_000;

fn segment(seq: u32, length: u32, flags: u8) -> Segment {
    let flags = flags | ACK;
    Segment { seq, ack: 50, flags, length, segments: 1, start: Start::None, crlf: false }
}

fn data(seq: u32, length: u32) -> Segment {
    segment(seq, length, 0)
}

fn syn(seq: u32) -> Segment {
    Segment { flags: SYN, ..segment(seq, 0, 0) }
}

/// A request of text, ten bytes long, behind a reply.
fn request(seq: u32, ack: u32) -> Segment {
    Segment { ack, start: Start::Text, crlf: true, ..data(seq, 10) }
}

/// A connection whose SYN was passed.
fn began() -> Flow {
    let mut flow = Flow::default();
    assert_eq!(wire(&mut flow, &syn(ISN), 0), Action::PassSyn);
    flow
}

/// A connection whose SYN was answered, at time 0.
fn opened() -> Flow {
    let mut flow = began();
    answer(&mut flow);
    flow
}

fn answer(flow: &mut Flow) {
    flow.reply.bits = ReplySide::BIT_SYN_ACK;
    flow.reply.snd_nxt = SND_NXT;
    flow.reply.rcv_nxt = flow.copy.isn.wrapping_add(1);
    flow.reply.edge = flow.reply.rcv_nxt.wrapping_add(WINDOW);
}

/// A flow whose connection was given up, with its socket left over.
fn broken() -> Flow {
    let mut flow = opened();
    assert_eq!(wire(&mut flow, &data(FIRST + 10, 10), MS), Action::Hold);
    let verdict = held(&mut flow, &data(FIRST + 10, 10), 2 * MS + GAP_LIMIT);
    assert_eq!(verdict, Verdict::discard(Discard::HoldExpired));
    assert_eq!(flow.copy.state, CopySide::STATE_WATCH);
    flow
}

fn first(flow: &mut Flow, segment: &Segment, now: u64) -> Verdict {
    judge(flow, segment, Pass::First, now)
}

fn wire(flow: &mut Flow, segment: &Segment, now: u64) -> Action {
    first(flow, segment, now).action
}

fn held(flow: &mut Flow, segment: &Segment, now: u64) -> Verdict {
    judge(flow, segment, Pass::Held, now)
}

fn again(flow: &mut Flow, segment: &Segment, now: u64) -> Action {
    judge(flow, segment, Pass::Again, now).action
}

mod opening {
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
}

mod no_more {
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
        flow.copy.state = CopySide::STATE_REAL;
        let verdict = first(&mut flow, &Segment { flags: NO_MORE, ..data(0, 0) }, MS);
        assert_eq!(verdict, Verdict::discard(Discard::RealClient));
    }
}

mod delivering {
    use super::*;

    #[test]
    fn sequence_numbers_wrap() {
        let mut flow = Flow::default();
        let isn = u32::MAX - 5;
        wire(&mut flow, &syn(isn), 0);
        answer(&mut flow);
        assert_eq!(wire(&mut flow, &data(isn + 1, 10), 0), Action::Deliver);
        assert_eq!(flow.copy.next_seq, 5);
        assert_eq!(wire(&mut flow, &data(5, 10), 0), Action::Deliver);
        let verdict = first(&mut flow, &data(5, 10), REPEAT_LIMIT + 1);
        assert_eq!(verdict.action, Action::Deliver, "the server has not acknowledged it yet");
        flow.reply.rcv_nxt = 15;
        let verdict = first(&mut flow, &data(isn + 1, 10), 0);
        assert_eq!(verdict, Verdict::discard(Discard::Duplicate));
        assert_eq!(wire(&mut flow, &data(20, 10), 0), Action::Hold, "a gap");
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
    fn a_gap_is_filled() {
        let mut flow = opened();
        let (one, two) = (data(FIRST, 10), data(FIRST + 10, 10));
        assert_eq!(wire(&mut flow, &two, 0), Action::Hold);
        assert_eq!(wire(&mut flow, &one, MS), Action::Hold, "behind the one that waits");
        assert_eq!(held(&mut flow, &two, MS).action, Action::Hold);
        assert_eq!(held(&mut flow, &one, MS).action, Action::Deliver);
        assert_eq!(held(&mut flow, &two, 2 * MS).action, Action::Deliver);
        assert_eq!((flow.held(), flow.copy.gap_at), (0, 0));
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
        flow.copy.state = CopySide::STATE_REAL;
        for seg in [syn(5), data(FIRST, 10), segment(FIRST, 0, RST), segment(FIRST, 0, FIN)] {
            assert_eq!(first(&mut flow, &seg, 0), Verdict::discard(Discard::RealClient));
        }
    }

    #[test]
    fn copies_that_never_came_back_are_given_up() {
        let mut flow = opened();
        wire(&mut flow, &data(FIRST + 10, 10), 0);
        assert_eq!(wire(&mut flow, &data(FIRST + 20, 10), LOST_LIMIT), Action::Hold);
        assert_eq!((flow.held(), flow.copy.epoch), (2, 0));
        assert_eq!(wire(&mut flow, &data(FIRST + 30, 10), LOST_LIMIT + 1), Action::Hold);
        assert_eq!((flow.held(), flow.copy.epoch), (1, 1));
    }
}

mod ending {
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
}

mod watching {
    use super::*;

    /// A flow that has seen a request which acknowledges 50 and ends at 110.
    fn watched() -> Flow {
        let mut flow = Flow::default();
        let verdict = first(&mut flow, &request(100, 50), 0);
        assert_eq!(verdict, Verdict::discard(Discard::Unproven), "the first is only looked at");
        flow
    }

    #[test]
    fn the_request_behind_a_reply_is_a_boundary() {
        let mut flow = watched();
        let next = request(110, 58);
        assert_eq!(wire(&mut flow, &next, 0), Action::Adopt);
        assert_eq!((flow.copy.isn, flow.copy.next_seq), (109, 110));
        assert_eq!(again(&mut flow, &next, 0), Action::Hold, "no SYN-ACK yet");
        answer(&mut flow);
        assert_eq!(held(&mut flow, &next, MS).action, Action::Deliver);
    }

    #[test]
    fn the_second_pass_is_delivered_at_once_if_the_syn_is_answered() {
        let mut flow = watched();
        wire(&mut flow, &request(110, 58), 0);
        answer(&mut flow);
        assert_eq!(again(&mut flow, &request(110, 58), 0), Action::Deliver);
    }

    #[test]
    fn a_boundary_wraps() {
        let mut flow = Flow::default();
        wire(&mut flow, &request(u32::MAX - 9, u32::MAX), 0);
        assert_eq!(wire(&mut flow, &request(0, 7), 0), Action::Adopt);
        assert_eq!((flow.copy.isn, flow.copy.next_seq), (u32::MAX, 0));
    }

    #[test]
    fn no_boundary_without_the_segment_before() {
        assert_eq!(wire(&mut watched(), &request(111, 58), 0), Action::Discard, "a hole");
        assert_eq!(wire(&mut watched(), &request(109, 58), 0), Action::Discard, "an overlap");
    }

    #[test]
    fn no_boundary_without_a_reply() {
        assert_eq!(wire(&mut watched(), &request(110, 50), 0), Action::Discard);
        assert_eq!(wire(&mut watched(), &request(110, 49), 0), Action::Discard);
    }

    #[test]
    fn no_boundary_of_text_without_crlf_before() {
        let mut flow = Flow::default();
        wire(&mut flow, &Segment { crlf: false, ..request(100, 50) }, 0);
        assert_eq!(wire(&mut flow, &request(110, 58), 0), Action::Discard);
        let mut flow = Flow::default();
        wire(&mut flow, &Segment { crlf: false, ..request(100, 50) }, 0);
        let binary = Segment { start: Start::Binary, ..request(110, 58) };
        assert_eq!(wire(&mut flow, &binary, 0), Action::Adopt, "binary requests end in anything");
    }

    #[test]
    fn no_boundary_without_a_request() {
        let value = Segment { start: Start::None, ..request(110, 58) };
        assert_eq!(wire(&mut watched(), &value, 0), Action::Discard);
    }

    #[test]
    fn an_old_segment_does_not_take_the_place_of_the_last() {
        let mut flow = watched();
        wire(&mut flow, &request(60, 40), 0);
        assert_eq!(wire(&mut flow, &request(110, 58), 0), Action::Adopt);
        let mut flow = watched();
        wire(&mut flow, &request(60, 40), 0);
        assert_eq!(wire(&mut flow, &request(70, 58), 0), Action::Discard);
    }

    #[test]
    fn pure_acks_and_probes_prove_nothing() {
        let mut flow = watched();
        let verdict = first(&mut flow, &segment(110, 0, 0), 0);
        assert_eq!(verdict, Verdict::discard(Discard::PureAck));
        wire(&mut flow, &Segment { ack: 58, ..data(109, 1) }, 0);
        assert_eq!(wire(&mut flow, &request(110, 58), 0), Action::Adopt);
    }

    #[test]
    fn a_syn_needs_no_proof() {
        assert_eq!(wire(&mut watched(), &syn(7000), 0), Action::PassSyn);
    }
}

mod mending {
    use super::*;

    const LATER: u64 = 10 * WAIT_LIMIT;

    #[test]
    fn a_gap_that_stays_breaks_the_flow() {
        let mut flow = opened();
        let late = data(FIRST + 10, 10);
        wire(&mut flow, &late, MS);
        assert_eq!(held(&mut flow, &late, 2 * MS).action, Action::Hold);
        assert_eq!(held(&mut flow, &late, MS + GAP_LIMIT).action, Action::Hold);
        let verdict = held(&mut flow, &late, MS + GAP_LIMIT + 1);
        assert_eq!(verdict, Verdict::discard(Discard::HoldExpired));
        assert_eq!(flow.copy.state, CopySide::STATE_WATCH);
    }

    #[test]
    fn a_broken_flow_is_reset_and_adopted_at_a_boundary() {
        let mut flow = broken();
        let end = FIRST + 20;
        assert_eq!(wire(&mut flow, &request(end, 50), LATER), Action::Discard);
        let next = request(end + 10, 58);
        assert_eq!(first(&mut flow, &next, LATER), Verdict::of(Action::ResetFirst, FIRST));
        assert_eq!(again(&mut flow, &next, LATER), Action::Adopt);
        answer(&mut flow);
        assert_eq!(again(&mut flow, &next, LATER), Action::Deliver);
    }

    #[test]
    fn the_segment_that_was_dropped_lies_before_the_boundary() {
        let mut flow = broken();
        wire(&mut flow, &request(FIRST, 50), LATER);
        let verdict = first(&mut flow, &request(FIRST + 10, 58), LATER);
        assert_eq!(verdict, Verdict::discard(Discard::Unproven));
    }

    #[test]
    fn the_segment_that_was_dropped_proves_nothing_about_text() {
        let mut flow = broken();
        let verdict = first(&mut flow, &request(FIRST + 20, 58), LATER);
        assert_eq!(verdict, Verdict::discard(Discard::Unproven));
    }

    #[test]
    fn what_waits_behind_a_boundary_is_kept() {
        let mut flow = opened();
        let (late, one, two, three) = (
            data(FIRST + 10, 10),
            request(FIRST + 20, 58),
            request(FIRST + 30, 66),
            request(FIRST + 40, 74),
        );
        for seg in [late, one, two, three] {
            assert_eq!(wire(&mut flow, &seg, MS), Action::Hold);
        }
        held(&mut flow, &late, 2 * MS);
        assert_eq!(held(&mut flow, &late, 2 * MS + GAP_LIMIT).reason, Discard::HoldExpired);
        let now = 3 * MS + GAP_LIMIT;
        assert_eq!(held(&mut flow, &one, now).reason, Discard::Unproven);
        assert_eq!(held(&mut flow, &two, now).action, Action::ResetFirst);
        assert_eq!((flow.held(), flow.copy.epoch), (1, 0));
        assert_eq!(again(&mut flow, &two, now), Action::Adopt);
        answer(&mut flow);
        assert_eq!(again(&mut flow, &two, now), Action::Deliver);
        assert_eq!(held(&mut flow, &three, now).action, Action::Deliver);
    }

    #[test]
    fn copies_queue_while_the_broken_flows_wait() {
        let mut flow = opened();
        wire(&mut flow, &data(FIRST + 10, 10), MS);
        wire(&mut flow, &data(FIRST + 20, 10), MS);
        held(&mut flow, &data(FIRST + 10, 10), 2 * MS + GAP_LIMIT);
        assert_eq!(flow.copy.state, CopySide::STATE_WATCH);
        assert_eq!(wire(&mut flow, &request(FIRST + 30, 58), 2 * MS + GAP_LIMIT), Action::Hold);
    }

    #[test]
    fn a_syn_that_waited_keeps_what_waits_behind_it() {
        let mut flow = opened();
        let late = data(FIRST + 10, 10);
        wire(&mut flow, &late, MS);
        wire(&mut flow, &late, MS);
        held(&mut flow, &late, 2 * MS + GAP_LIMIT);
        let (next, its) = (syn(ISN + 700_000), data(ISN + 700_001, 10));
        let now = 3 * MS + GAP_LIMIT;
        assert_eq!(wire(&mut flow, &next, now), Action::Hold);
        assert_eq!(wire(&mut flow, &its, now), Action::Hold);
        held(&mut flow, &late, now);
        assert_eq!(held(&mut flow, &next, now).action, Action::ResetFirst);
        assert_eq!(again(&mut flow, &next, now), Action::PassSyn);
        answer(&mut flow);
        assert_eq!((flow.held(), flow.copy.epoch), (1, 0));
        assert_eq!(held(&mut flow, &its, now).action, Action::Deliver);
    }

    #[test]
    fn a_stray_socket_is_reset_where_it_expects() {
        let mut flow = began();
        // Its challenge ACK, which `reply::judge` notes.
        flow.reply.rcv_nxt = 4242;
        wire(&mut flow, &data(FIRST, 10), 0);
        held(&mut flow, &data(FIRST, 10), WAIT_LIMIT + 1);
        let verdict = first(&mut flow, &segment(FIRST, 0, RST), WAIT_LIMIT + 2);
        assert_eq!(verdict, Verdict::of(Action::Abort, 4242));
    }
}
