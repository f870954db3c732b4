//! What an unsynchronised connection makes of what it sees.

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
fn what_is_behind_a_syn_needs_no_proof() {
    assert_eq!(wire(&mut watched(), &opens(7000), 0), Action::Open);
}
