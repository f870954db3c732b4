//! Each transition by name.

extern crate std;

mod delivering;
mod ending;
mod mending;
mod no_more;
mod opening;
mod watching;

use super::*;
use crate::packet::tcp::ACK;

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
        noted: false,
        isn: 0,
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

/// The first data behind a SYN that was noted.
fn opens(isn: u32) -> Segment {
    Segment { noted: true, isn, ..data(isn.wrapping_add(1), 10) }
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

/// A connection that was given a SYN, and nothing yet.
fn began() -> Flow {
    let mut flow = Flow::default();
    assert_eq!(first(&mut flow, &opens(ISN), 0), Verdict::of(Action::Open, ISN));
    flow
}

/// A connection whose SYN was answered, at time 0, and whose first byte was delivered.
fn opened() -> Flow {
    let mut flow = began();
    answer(&mut flow);
    flow.copy.isn = ISN.wrapping_sub(1);
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
