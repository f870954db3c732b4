//! Each transition by name.

extern crate std;

use super::*;

const ISN: u32 = 1000;
const FIRST: u32 = ISN + 1;
/// What the target's server has sent by [`opened`]: its SYN.
const SND_NXT: u32 = 9001;
const WINDOW: u32 = 5000;
const MS: u64 = 1_000_000;

fn segment(seq: u32, length: u32, flags: u8) -> Segment {
    let flags = flags | ACK;
    Segment {
        seq,
        ack: 50,
        flags,
        length,
        segments: 1,
        waited: 0,
        blocked: false,
        start: Start::None,
        crlf: false,
        request_state: RequestState::default(),
    }
}

fn data(seq: u32, length: u32) -> Segment {
    segment(seq, length, 0)
}

/// What begins a request, of which nothing else is known.
fn begins(seq: u32, length: u32) -> Segment {
    Segment { start: Start::Text, ..data(seq, length) }
}

fn syn(seq: u32) -> Segment {
    Segment { flags: SYN, ..segment(seq, 0, 0) }
}

/// A request of text, ten bytes long, behind a reply.
fn request(seq: u32, ack: u32) -> Segment {
    Segment {
        ack,
        start: Start::Text,
        crlf: true,
        request_state: RequestState::BOUNDARY,
        ..data(seq, 10)
    }
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
    let late = begins(FIRST + 10, 10);
    assert_eq!(wire(&mut flow, &late, MS), Action::Hold);
    assert_eq!(held(&mut flow, &late, MS).action, Action::Hold);
    let verdict = held(&mut flow, &late, 2 * MS + GAP_LIMIT);
    assert_eq!(verdict, Verdict::discard(Discard::HoldExpired));
    assert_eq!(flow.copy.state, State::UNSYNCED);
    flow
}

fn first(flow: &mut Flow, segment: &Segment, now: u64) -> Verdict {
    judge(flow, segment, Pass::First, now)
}

fn wire(flow: &mut Flow, segment: &Segment, now: u64) -> Action {
    first(flow, segment, now).action
}

/// As a copy that has waited for as long as its flow stands still.
fn held(flow: &mut Flow, segment: &Segment, now: u64) -> Verdict {
    held_for(flow, segment, now.saturating_sub(flow.copy.stalled_at), now)
}

fn held_for(flow: &mut Flow, segment: &Segment, waited: u64, now: u64) -> Verdict {
    judge(flow, &Segment { waited, ..*segment }, Pass::Held, now)
}

fn again(flow: &mut Flow, segment: &Segment, now: u64) -> Action {
    judge(flow, segment, Pass::Requeued, now).action
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
        flow.copy.state = State::DIRECT;
        let verdict = first(&mut flow, &Segment { flags: NO_MORE, ..data(0, 0) }, MS);
        assert_eq!(verdict, Verdict::discard(Discard::DirectClient));
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
        for seg in [syn(5), data(FIRST, 10), segment(FIRST, 0, RST), segment(FIRST, 0, FIN)] {
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
}

mod watching {
    use super::*;

    /// A flow that has seen a request which acknowledges 50 and ends at 110.
    fn watched() -> Flow {
        let mut flow = Flow::default();
        let verdict = first(&mut flow, &request(100, 50), 0);
        assert_eq!(verdict, Verdict::discard(Discard::Unsynced), "the first is only looked at");
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

    /// A segment that is looked at as the program does.
    fn look(flow: &Flow, seq: u32, ack: u32, payload: &[u8]) -> Segment {
        let mut head = [0; crate::memcached::request_start::LOOK];
        let length = payload.len().min(head.len());
        head[..length].copy_from_slice(&payload[..length]);
        let seg = Segment { ack, ..data(seq, payload.len() as u32) };
        Segment {
            start: crate::memcached::request_start::start(&head),
            crlf: payload.ends_with(b"\r\n"),
            request_state: request_state_from(&flow.copy, &seg).feed(payload),
            ..seg
        }
    }

    /// The numbers of those that begin a request for sure, of segments with these payloads, each of which
    /// acknowledges so many bytes more than the one before.
    fn boundaries(segments: &[(u32, &[u8])]) -> std::vec::Vec<usize> {
        let mut flow = Flow::default();
        let (mut seq, mut ack) = (100, 50);
        let mut found = std::vec::Vec::new();
        for (number, (replied, payload)) in segments.iter().enumerate() {
            ack += replied;
            let before = flow;
            let seg = look(&flow, seq, ack, payload);
            if wire(&mut flow, &seg, 0) == Action::Adopt {
                found.push(number);
                flow = before;
                record(&mut flow.copy, &seg, *replied > 0);
                let evidence = Evidence { contradictions: 0, ..flow.copy.evidence() };
                flow.copy.set_evidence(evidence);
            }
            seq += seg.length;
        }
        found
    }

    const GET: &[u8] = b"get a\r\n";
    const EVIL: &[u8] = b"set evil 0 0 4\r\nEVIL\r\n";
    const NOISE: &[u8] = b"....\r\n";

    #[test]
    fn every_request_of_a_client_that_waits_is_a_boundary() {
        assert_eq!(boundaries(&[(0, GET), (5, GET), (8, EVIL), (8, GET)]), [1, 2, 3]);
    }

    #[test]
    fn a_value_holds_no_boundary_though_replies_arrive() {
        let value = b"get b\r\nset good 0 0 44\r\n";
        let segments = [(0, GET), (5, value), (5, EVIL), (8, EVIL), (0, b"\r\n"), (8, GET)];
        assert_eq!(boundaries(&segments), [1, 5]);
    }

    #[test]
    fn batches_need_all_their_replies() {
        let batch = [GET, GET, EVIL].concat();
        assert_eq!(boundaries(&[(0, &batch), (17, &batch)]), [1]);
        assert_eq!(boundaries(&[(0, &batch), (5, &batch), (5, EVIL)]), [] as [usize; 0]);
        assert_eq!(boundaries(&[(0, &batch), (5, b"get "), (12, b"a\r\n"), (5, GET)]), [3]);
    }

    #[test]
    fn where_the_way_is_lost_three_have_to_say_so() {
        let segments = [(0, NOISE), (5, GET), (5, NOISE), (5, GET), (5, NOISE), (5, GET), (5, GET)];
        assert_eq!(boundaries(&segments), [6], "a walk begins at the first that says so");
        let long = [&b"get "[..], &[b'k'; 5000]].concat();
        let segments = [(0, NOISE), (5, &long[..]), (0, b" a\r\n"), (5, GET)];
        assert_eq!(boundaries(&segments), [3]);
    }

    #[test]
    fn a_walk_that_is_wrong_for_too_long_is_given_up() {
        // Within a value when the first was seen.
        let mut segments = std::vec![(0, &b"set k 0 0 1000000\r\n"[..])];
        segments.extend([(5, GET); 12]);
        assert_eq!(boundaries(&segments)[0], 4);
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
    fn a_segment_far_back_takes_the_place_of_the_last() {
        let mut flow = watched();
        let early = 110u32.wrapping_sub(1 << 30);
        wire(&mut flow, &request(early, 50), 0);
        assert_eq!(wire(&mut flow, &request(early + 10, 58), 0), Action::Adopt);
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
    fn a_syn_that_waited_keeps_what_waits_behind_it() {
        let mut flow = opened();
        let late = begins(FIRST + 10, 10);
        wire(&mut flow, &late, MS);
        wire(&mut flow, &late, MS);
        held(&mut flow, &late, MS);
        held(&mut flow, &late, MS);
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
