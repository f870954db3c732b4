//! A copied SYN is noted, and asked for when its client speaks: see `mirror_common::target::noted_syn`.

use mirror_common::{
    abi::{FlowKey, TargetCounter, mark, since, stamp},
    packet::tcp,
    target::{
        copy::{Pass, Segment, WAIT_LIMIT},
        noted_syn,
    },
};
use mirror_ebpf::packet::skb::Skb;

use crate::{
    maps::{self, Work},
    outcome::{discard, hold},
};

/// Takes a SYN: the verdict for it, or how to go on with the data that it has.
#[inline(never)]
pub fn run(skb: Skb, work: &mut Work, pass: Pass, epoch: u32, now: u64) -> Result<Pass, i32> {
    let Work { key, segment: seg, plain, .. } = work;
    let segments = u64::from(seg.segments);
    if seg.flags & tcp::ACK != 0 {
        return Err(discard(TargetCounter::DiscardedNoFlow, segments));
    }
    let mut flow = maps::flow(key);
    let is_open = flow.as_ref().is_some_and(|flow| noted_syn::is_open(&flow.copy, seg.seq));
    if pass != Pass::First {
        let note = maps::noted_syn(key).filter(|note| note.isn == seg.seq);
        let noted_for = note.as_ref().map(|note| since(note.noted_at, now));
        if is_open || note.is_some_and(|note| noted_syn::took(note, seg.length)) {
            seg.seq = seg.seq.wrapping_add(1);
            seg.flags &= !tcp::SYN;
            plain.set_seq(seg.seq);
            // The flow knows of it if it was held for it.
            let known = flow.is_some_and(|flow| flow.copy.epoch & mark::MAX_ARGUMENT == epoch);
            return Ok(if pass == Pass::Held && !known { Pass::First } else { pass });
        }
        // A copy whose stamp is lost has waited for no longer than its SYN is known.
        let waited = stamp::waited(skb.stamp(), now).or(noted_for);
        if waited.is_none_or(|waited| waited > WAIT_LIMIT) {
            return Err(discard(TargetCounter::DiscardedSyn, segments));
        }
        maps::count_many(TargetCounter::Held, segments);
        return Err(hold(skb, 0));
    }
    if is_open || maps::finished(key).is_some_and(|finished| finished.isn == seg.seq) {
        return Err(discard(TargetCounter::DiscardedDuplicate, segments));
    }
    if let Some(flow) = &mut flow {
        flow.copy.syn_waits = 1;
    }
    maps::clear_multipath(key);
    if maps::noted_syn(key).is_none_or(|note| note.isn != seg.seq) {
        maps::note_syn(key, noted_syn::note(seg.seq, now));
    }
    if seg.length == 0 {
        return Err(discard(TargetCounter::DiscardedSyn, segments));
    }
    skb.set_stamp(stamp::at(now));
    maps::count_many(TargetCounter::Held, segments);
    Err(hold(skb, 0))
}

/// Whether a SYN was noted for the connection of `segment`.
#[inline(always)]
pub fn look_up(key: &FlowKey, segment: &mut Segment, now: u64) {
    if let Some(note) = maps::noted_syn(key) {
        noted_syn::look_up(note, segment, now);
    }
}
