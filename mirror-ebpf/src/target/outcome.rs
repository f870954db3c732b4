//! The ways in which a copy ends here, each with its counter.

use mirror_common::{
    abi::{
        TargetCounter,
        mark::{self, Stage},
    },
    target::copy::{Discard, Pass},
};
use mirror_ebpf::{
    packet::skb::{DROP, HelperError, NEXT, Skb, to_egress, to_ingress},
    runtime::settings,
};

use crate::maps;

/// Counts where a copy of so many segments came from.
#[inline(always)]
pub fn count_pass(pass: Pass, segments: u64) {
    match pass {
        Pass::First => maps::count_many(TargetCounter::Arrived, segments),
        Pass::Held => maps::count_many(TargetCounter::Released, segments),
        Pass::Requeued => {}
    }
}

/// The copy goes to the stack.
#[inline(always)]
pub fn deliver(skb: Skb, opened: Result<(), HelperError>, segments: u64) -> i32 {
    if opened.is_err() {
        return discard(TargetCounter::DiscardedRewrite, segments);
    }
    maps::count_many(TargetCounter::Applied, segments);
    pass_up(skb)
}

/// What was made of the copy goes to the stack; the copy itself is queued, and counted when it is
/// back.
#[inline(always)]
pub fn pass_synthesized(skb: Skb, made: Result<(), HelperError>) -> i32 {
    if made.is_err() {
        return DROP;
    }
    maps::count(TargetCounter::SegmentInjected);
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

/// Verdict: the copy goes into the hold device.
#[inline(always)]
pub fn hold(skb: Skb, epoch: u32) -> i32 {
    skb.set_mark(mark::pack(Stage::Held, epoch));
    to_egress(settings::hold_ifindex())
}

#[inline(always)]
pub fn discard(reason: TargetCounter, segments: u64) -> i32 {
    maps::count_many(reason, segments);
    DROP
}

/// Queues the copy, still sealed, to be judged again after what is made of this skb.
#[inline(always)]
pub fn requeue(skb: Skb) -> Result<(), HelperError> {
    skb.set_mark(mark::pack(Stage::Requeued, 0));
    skb.clone_to_ingress(settings::ifindex())
}

/// Verdict: the copy itself is queued to be judged again, behind what is queued.
#[inline(always)]
pub fn requeue_itself(skb: Skb) -> i32 {
    skb.set_mark(mark::pack(Stage::Requeued, 0));
    to_ingress(settings::ifindex())
}

#[inline(always)]
pub fn counter_of(reason: Discard) -> TargetCounter {
    match reason {
        Discard::Unsynced => TargetCounter::DiscardedUnsynced,
        Discard::PureAck => TargetCounter::DiscardedPureAck,
        Discard::Duplicate => TargetCounter::DiscardedDuplicate,
        Discard::DirectClient => TargetCounter::DiscardedDirectClient,
        Discard::NoFlow => TargetCounter::DiscardedNoFlow,
        Discard::HoldExpired => TargetCounter::DiscardedHoldExpired,
        Discard::Blocked => TargetCounter::DiscardedCommand,
        Discard::Unanswered => TargetCounter::DiscardedUnanswered,
    }
}
