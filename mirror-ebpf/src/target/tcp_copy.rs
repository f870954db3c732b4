//! A sealed TCP copy: asks `mirror_common::target::copy` and carries the verdict out.

use mirror_common::{
    abi::{
        CopySide, Flow, RequestState, TargetCounter,
        mark::{self, Stage},
        stamp,
    },
    memcached::request_start::{self, LOOK, Start},
    packet::{
        Packet, mptcp, seal,
        tcp::{self, after, late},
    },
    target::copy::{self, Action, Discard, Pass, Segment},
};
use mirror_ebpf::{
    packet::skb::{DROP, NEXT, Refused, Skb, to_ingress},
    runtime::{clock, settings},
};

use crate::{
    admin_command, evict, hold,
    maps::{self, Work},
    request_parser, segment,
};

#[inline(always)]
pub fn run(skb: Skb, work: &mut Work, sealed: &tcp::Header, pass: Pass, epoch: u32) -> i32 {
    work.plain = seal::unseal_tcp(sealed);
    let payload_at = work.headers.l4 + work.plain.length();
    if work.plain.length() < tcp::HEADER || payload_at > work.headers.end {
        count_pass(pass, 1);
        return discard(TargetCounter::DiscardedMalformed, 1);
    }
    work.key = maps::key_of_copy(&work.headers);
    work.segment = Segment {
        seq: work.plain.seq(),
        ack: work.plain.ack(),
        flags: work.plain.flags(),
        length: work.headers.end - payload_at,
        segments: 0,
        waited: 0,
        withheld: false,
        start: Start::None,
        crlf: false,
        walk: RequestState::default(),
    };
    let segments = skb.segments(work.segment.length);
    work.segment.segments = segments as u32;
    count_pass(pass, segments);
    let multipath = mptcp::subtype(&skb, work.headers.l4, work.plain.length());
    if mptcp::is_agreed(multipath, work.plain.flags()) {
        maps::note_multipath(&work.key);
        if maps::flow(&work.key).is_none() {
            return discard(TargetCounter::DiscardedMptcp, segments);
        }
        work.segment.flags |= tcp::NO_MORE;
    }
    let flow = match find(skb, work, pass) {
        Ok(flow) => flow,
        Err(TargetCounter::DiscardedTableFull) => return evict::make_room(skb, work),
        Err(reason) => return discard(reason, segments),
    };
    if work.segment.flags & tcp::NO_MORE == tcp::NO_MORE {
        // It has no place of its own in the stream: it is behind everything.
        work.segment.seq = flow.copy.next_seq;
    }
    if pass == Pass::Held && epoch != flow.copy.epoch & mark::MAX_ARGUMENT {
        return discard(TargetCounter::DiscardedStale, segments);
    }
    work.segment.withheld = admin_command::withheld(skb, payload_at, work.segment.length);
    if work.segment.length > 0 && copy::wants_start(&flow.copy, &work.segment, pass) {
        look(skb, work, flow, pass, payload_at);
    }
    let now = clock::now();
    if pass == Pass::Held {
        // A copy whose stamp is lost has waited for as long as its flow stands still.
        let stands = now.saturating_sub(flow.copy.stalled_at);
        work.segment.waited = stamp::waited(skb.stamp(), now).unwrap_or(stands);
    }
    act(skb, work, flow, pass, now)
}

/// Counts where a copy of so many segments came from.
#[inline(always)]
pub fn count_pass(pass: Pass, segments: u64) {
    match pass {
        Pass::First => maps::count_many(TargetCounter::Arrived, segments),
        Pass::Held => maps::count_many(TargetCounter::Returned, segments),
        Pass::Again => {}
    }
}

/// The copy's flow: the one in the table, or a new one if the copy can begin one.
#[inline(always)]
fn find(skb: Skb, work: &mut Work, pass: Pass) -> Result<&'static mut Flow, TargetCounter> {
    let Work { headers, key, segment: seg, fresh, .. } = work;
    let opens = seg.flags & tcp::NO_MORE == tcp::SYN;
    if opens {
        maps::clear_multipath(key);
    }
    if let Some(flow) = maps::flow(key) {
        // A real client's connection may be over by now.
        if opens && flow.copy.state == CopySide::STATE_REAL && !skb.has_connection(headers) {
            flow.copy.state = CopySide::STATE_WATCH;
            flow.copy.bits = 0;
        }
        return Ok(flow);
    }
    if !opens {
        if seg.length == 0 {
            return Err(if seg.flags & (tcp::RST | tcp::FIN) != 0 {
                TargetCounter::DiscardedNoFlow
            } else {
                TargetCounter::DiscardedPureAck
            });
        }
        if maps::is_multipath(key) {
            return Err(TargetCounter::DiscardedMptcp);
        }
        let end = seg.seq.wrapping_add(seg.length);
        let finished = maps::finished(key);
        if pass == Pass::Held {
            // Its flow ended while it waited, maybe without having had it.
            return Err(match finished {
                Some(it) if late(end, it.given) && after(end, it.isn.wrapping_add(1)) => {
                    TargetCounter::DiscardedFinished
                }
                _ => TargetCounter::DiscardedStale,
            });
        }
        if finished.is_some_and(|finished| late(end, finished.end)) {
            return Err(TargetCounter::DiscardedFinished);
        }
    }
    let flow = maps::add_flow(key, fresh).ok_or(TargetCounter::DiscardedTableFull)?;
    // A socket that is there already is a real client's: hands off.
    if skb.has_connection(headers) {
        flow.copy.state = CopySide::STATE_REAL;
    }
    Ok(flow)
}

/// Reads what the judgement needs from the payload.
#[inline(never)]
fn look(skb: Skb, work: &mut Work, flow: &Flow, pass: Pass, payload_at: u32) {
    let Some(head) = skb.beginning::<LOOK>(payload_at, work.segment.length) else { return };
    work.segment.start = request_start::start(&head);
    if !copy::wants_evidence(&flow.copy, &work.segment, pass) {
        return;
    }
    work.segment.walk = copy::walk_from(&flow.copy, &work.segment);
    work.segment.crlf =
        work.segment.length >= 2 && skb.bytes(work.headers.end - 2) == Some(*b"\r\n");
    request_parser::along(skb, payload_at, work.headers.end, &mut work.segment.walk);
}

#[inline(always)]
fn act(skb: Skb, work: &Work, flow: &mut Flow, pass: Pass, now: u64) -> i32 {
    let Work { headers, key, plain, segment: seg, .. } = work;
    let segments = u64::from(seg.segments);
    let was_open = flow.copy.state == CopySide::STATE_OPEN;
    let ahead = copy::withdrawn(flow);
    let verdict = copy::judge(flow, seg, pass, now);
    let withheld = verdict.action == Action::Discard && verdict.reason == Discard::Command;
    if was_open && flow.copy.state == CopySide::STATE_WATCH {
        maps::count_withdrawn(ahead);
        if !withheld {
            maps::count(TargetCounter::Broken);
        }
    }
    let number = verdict.number;
    match verdict.action {
        Action::PassSyn => {
            if !was_open {
                maps::count(TargetCounter::Opened);
            }
            apply(skb, segment::pass_syn(skb, headers, plain), segments)
        }
        Action::Deliver => apply(skb, segment::deliver(skb, headers, plain, number), segments),
        Action::DeliverLast => {
            maps::finish(key, flow, seg.seq.wrapping_add(seg.length).wrapping_add(1));
            apply(skb, segment::deliver(skb, headers, plain, number), segments)
        }
        Action::Abort => {
            maps::finish(key, flow, seg.seq.wrapping_add(seg.length));
            maps::count(TargetCounter::Reset);
            apply(skb, segment::into_rst(skb, headers, plain, number), segments)
        }
        Action::Adopt => {
            if again(skb).is_err() {
                return discard(TargetCounter::DiscardedClone, segments);
            }
            maps::count(TargetCounter::Adopted);
            prelude(skb, segment::into_syn(skb, headers, plain, seg.seq.wrapping_sub(1)))
        }
        Action::ResetFirst => {
            if again(skb).is_err() {
                return discard(TargetCounter::DiscardedClone, segments);
            }
            maps::count(TargetCounter::Reset);
            prelude(skb, segment::into_rst(skb, headers, plain, number))
        }
        Action::Hold => {
            maps::count_many(TargetCounter::Held, segments);
            if pass != Pass::Held {
                skb.set_stamp(stamp::at(now));
            }
            maps::note_wait(seg.waited, now);
            hold::send(skb, flow.copy.epoch)
        }
        Action::Discard => discard(counter_of(verdict.reason), segments),
        Action::Forget => {
            maps::finish(key, flow, seg.seq.wrapping_add(seg.length));
            discard(counter_of(verdict.reason), segments)
        }
    }
}

/// The copy goes to the stack.
#[inline(always)]
fn apply(skb: Skb, opened: Result<(), Refused>, segments: u64) -> i32 {
    if opened.is_err() {
        return discard(TargetCounter::DiscardedRewrite, segments);
    }
    maps::count_many(TargetCounter::Applied, segments);
    pass_up(skb)
}

/// What was made of the copy goes to the stack; the copy itself is queued, and counted when it is
/// back.
#[inline(always)]
pub fn prelude(skb: Skb, made: Result<(), Refused>) -> i32 {
    if made.is_err() {
        return DROP;
    }
    maps::count(TargetCounter::Synthesized);
    pass_up(skb)
}

/// The stack has the packet: here, or, from behind the hold device, at the real interface.
#[inline(always)]
fn pass_up(skb: Skb) -> i32 {
    skb.set_stamp(0);
    if skb.ifindex() == settings::ifindex() {
        skb.set_mark(0);
        return NEXT;
    }
    skb.set_mark(mark::pack(Stage::Judged, 0));
    to_ingress(settings::ifindex())
}

#[inline(always)]
pub fn discard(reason: TargetCounter, segments: u64) -> i32 {
    maps::count_many(reason, segments);
    DROP
}

/// Queues the copy, still sealed, to be judged again after what is made of this skb.
#[inline(always)]
pub fn again(skb: Skb) -> Result<(), Refused> {
    skb.set_mark(mark::pack(Stage::Again, 0));
    skb.clone_to_ingress(settings::ifindex())
}

#[inline(always)]
fn counter_of(reason: Discard) -> TargetCounter {
    match reason {
        Discard::Unproven => TargetCounter::DiscardedUnproven,
        Discard::PureAck => TargetCounter::DiscardedPureAck,
        Discard::Duplicate => TargetCounter::DiscardedDuplicate,
        Discard::RealClient => TargetCounter::DiscardedRealClient,
        Discard::NoFlow => TargetCounter::DiscardedNoFlow,
        Discard::HoldExpired => TargetCounter::DiscardedHoldExpired,
        Discard::Command => TargetCounter::DiscardedCommand,
    }
}
