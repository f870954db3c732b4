//! A sealed TCP copy: asks `mirror_common::target::copy` and carries the verdict out.

use mirror_common::{
    abi::{Flow, FlowKey, ReplySide, RequestState, State, TargetCounter, mark, stamp},
    memcached::request_start::{self, LOOK, Start},
    packet::{
        Packet, mptcp, seal,
        tcp::{self, after, late},
    },
    target::{
        breaker,
        copy::{self, Action, Discard, Pass, Segment},
    },
};
use mirror_ebpf::{
    packet::{skb::Skb, socket},
    runtime::clock,
};

use crate::{
    admin_command, evict,
    maps::{self, Work},
    outcome::{
        count_pass, counter_of, deliver, discard, hold, pass_synthesized, requeue, requeue_itself,
    },
    request_parser, segment, syn, way_back,
};

#[inline(always)]
pub fn run(skb: Skb, work: &mut Work, sealed: &tcp::Header, mut pass: Pass, epoch: u32) -> i32 {
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
        blocked: false,
        noted: false,
        isn: 0,
        start: Start::None,
        crlf: false,
        request_state: RequestState::default(),
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
    let now = clock::now();
    if work.segment.flags & tcp::NO_MORE == tcp::SYN {
        pass = match syn::run(skb, work, pass, epoch, now) {
            Ok(pass) => pass,
            Err(verdict) => return verdict,
        };
    }
    let flow = match find(skb, work, pass, now) {
        Ok(flow) => flow,
        Err(TargetCounter::DiscardedTableFull) => return evict::make_room(skb, work, now),
        Err(reason) => return discard(reason, segments),
    };
    if work.segment.flags & tcp::NO_MORE == tcp::NO_MORE {
        // It has no place of its own in the stream: it is behind everything.
        work.segment.seq = flow.copy.next_seq;
    }
    if pass == Pass::Held && epoch != flow.copy.epoch & mark::MAX_ARGUMENT {
        return discard(TargetCounter::DiscardedStale, segments);
    }
    if flow.copy.state == State::SYNCED && flow.reply.has(ReplySide::BIT_UNAUTHENTICATED) {
        let reason = TargetCounter::DiscardedUnauthenticated;
        return leave(skb, work, flow, reason, flow.copy.next_seq);
    }
    if flow.copy.state == State::SYNCED
        && breaker::asks_again(flow.copy.seen_at, now)
        && let Err(reason) = way_back::still(skb, &work.headers)
    {
        return leave(skb, work, flow, reason, flow.copy.next_seq);
    }
    work.segment.blocked = admin_command::blocked(skb, payload_at, work.segment.length);
    if work.segment.length > 0 && copy::wants_start(&flow.copy, &work.segment, pass) {
        inspect(skb, work, flow, pass, payload_at);
    }
    if pass == Pass::Held {
        // A copy whose stamp is lost has waited for as long as its flow stands still.
        let stands = now.saturating_sub(flow.copy.stalled_at);
        work.segment.waited = stamp::waited(skb.stamp(), now).unwrap_or(stands);
    }
    carry_out(skb, work, flow, pass, now)
}

/// The copy's flow: the one in the table, or a new one if the copy can begin one.
#[inline(always)]
fn find(
    skb: Skb,
    work: &mut Work,
    pass: Pass,
    now: u64,
) -> Result<&'static mut Flow, TargetCounter> {
    let Work { headers, key, segment: seg, fresh, .. } = work;
    if let Some(flow) = maps::flow(key) {
        if copy::wants_noted(&flow.copy) {
            syn::look_up(key, seg, now);
        }
        // A direct client's connection may be over by now.
        if seg.noted && flow.copy.state == State::DIRECT && !socket::has_connection(skb, headers) {
            flow.copy.state = State::UNSYNCED;
            flow.copy.bits = 0;
        }
        return Ok(flow);
    }
    syn::look_up(key, seg, now);
    if seg.length == 0 {
        if seg.flags & (tcp::RST | tcp::FIN) == 0 {
            return Err(TargetCounter::DiscardedPureAck);
        }
        maps::clear_noted_syn(key);
        return Err(TargetCounter::DiscardedNoFlow);
    }
    if maps::is_multipath(key) {
        return Err(TargetCounter::DiscardedMptcp);
    }
    if pass == Pass::Held || !seg.noted {
        let end = seg.seq.wrapping_add(seg.length);
        if let Some(reason) = ended(key, end, pass) {
            return Err(reason);
        }
    }
    let flow = maps::add_flow(key, fresh)?;
    // A socket that is there already is a direct client's: hands off.
    if socket::has_connection(skb, headers) {
        flow.copy.state = State::DIRECT;
    }
    Ok(flow)
}

/// Why a copy without a flow is none of a new one, as far as is known: its connection ended, or will be of no use.
#[inline(never)]
fn ended(key: &FlowKey, end: u32, pass: Pass) -> Option<TargetCounter> {
    let Some(finished) = maps::finished(key) else {
        // Its flow ended while it waited.
        return (pass == Pass::Held).then_some(TargetCounter::DiscardedStale);
    };
    if pass == Pass::Held {
        // Maybe without having had it.
        let given = late(end, finished.given) && after(end, finished.isn.wrapping_add(1));
        return Some(match given {
            true => TargetCounter::DiscardedFinished,
            false => TargetCounter::DiscardedStale,
        });
    }
    if late(end, finished.end) {
        return Some(TargetCounter::DiscardedFinished);
    }
    (finished.unauthenticated != 0).then_some(TargetCounter::DiscardedUnauthenticated)
}

/// Reads what the judgement needs from the payload.
#[inline(never)]
fn inspect(skb: Skb, work: &mut Work, flow: &Flow, pass: Pass, payload_at: u32) {
    let Some(head) = skb.beginning::<LOOK>(payload_at, work.segment.length) else { return };
    work.segment.start = request_start::start(&head);
    if !copy::wants_evidence(&flow.copy, &work.segment, pass) {
        return;
    }
    work.segment.request_state = copy::request_state_from(&flow.copy, &work.segment);
    work.segment.crlf =
        work.segment.length >= 2 && skb.bytes(work.headers.end - 2) == Some(*b"\r\n");
    request_parser::feed(skb, payload_at, work.headers.end, &mut work.segment.request_state);
}

#[inline(always)]
fn carry_out(skb: Skb, work: &Work, flow: &mut Flow, pass: Pass, now: u64) -> i32 {
    let Work { headers, key, plain, segment: seg, .. } = work;
    let segments = u64::from(seg.segments);
    let was_open = flow.copy.state == State::SYNCED;
    let ahead = copy::withdrawn(flow);
    let verdict = copy::judge(flow, seg, pass, now);
    let blocked = verdict.action == Action::Discard && verdict.reason == Discard::Blocked;
    if was_open && flow.copy.state == State::UNSYNCED {
        maps::count_withdrawn(ahead);
        if !blocked {
            maps::count(TargetCounter::Desynced);
        }
    }
    let number = verdict.number;
    match verdict.action {
        Action::Open | Action::OpenAgain | Action::Adopt => {
            if verdict.action != Action::OpenAgain
                && let Err(reason) = way_back::check(skb, headers, now)
            {
                maps::forget_unopened(key);
                return discard(reason, segments);
            }
            if requeue(skb).is_err() {
                return discard(TargetCounter::DiscardedClone, segments);
            }
            match verdict.action {
                Action::Open => {
                    maps::clear_noted_syn(key);
                    maps::count(TargetCounter::Opened);
                }
                Action::Adopt => maps::count(TargetCounter::Adopted),
                _ => {}
            }
            pass_synthesized(skb, segment::into_syn(skb, headers, plain, number))
        }
        Action::Deliver => deliver(skb, segment::deliver(skb, headers, plain, number), segments),
        Action::DeliverLast => {
            maps::finish(key, flow, seg.seq.wrapping_add(seg.length).wrapping_add(1));
            deliver(skb, segment::deliver(skb, headers, plain, number), segments)
        }
        Action::Abort => {
            maps::finish(key, flow, seg.seq.wrapping_add(seg.length));
            maps::count(TargetCounter::Reset);
            deliver(skb, segment::into_rst(skb, headers, plain, number), segments)
        }
        Action::Requeue => requeue_itself(skb),
        Action::ResetFirst => {
            if requeue(skb).is_err() {
                return discard(TargetCounter::DiscardedClone, segments);
            }
            maps::count(TargetCounter::Reset);
            pass_synthesized(skb, segment::into_rst(skb, headers, plain, number))
        }
        Action::Hold => {
            maps::count_many(TargetCounter::Held, segments);
            if pass != Pass::Held {
                skb.set_stamp(stamp::at(now));
            }
            maps::note_wait(seg.waited, now);
            hold(skb, flow.copy.epoch)
        }
        Action::Discard => discard(counter_of(verdict.reason), segments),
        Action::Forget => {
            maps::finish(key, flow, seg.seq.wrapping_add(seg.length));
            discard(counter_of(verdict.reason), segments)
        }
        Action::ForgetSocket => leave(skb, work, flow, counter_of(verdict.reason), number),
    }
}

/// Drops the copy, forgets its flow, and resets the synthetic client's socket at `number`.
#[inline(always)]
fn leave(skb: Skb, work: &Work, flow: &Flow, reason: TargetCounter, number: u32) -> i32 {
    let Work { headers, key, plain, segment: seg, .. } = work;
    maps::finish(key, flow, seg.seq);
    maps::count(TargetCounter::Reset);
    maps::count_many(reason, u64::from(seg.segments));
    pass_synthesized(skb, segment::into_rst(skb, headers, plain, number))
}
