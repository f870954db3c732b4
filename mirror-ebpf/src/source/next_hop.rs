//! Sends a finished copy the way that the kernel's routing tables give it at this moment.

use mirror_common::{
    abi::{Mapping, MappingCounter},
    packet::{Packet, parse::ETHERNET_HEADER},
};
use mirror_ebpf::{
    packet::{
        route::{self, NextHop, Question, Way},
        skb::{Skb, drop_silently},
    },
    runtime::{settings, trace},
};

use crate::{copy::Copy, maps, pieces, trace_hooks};

/// Of the priorities that a packet can have, the one that every queue with bands sends last
/// (`include/uapi/linux/pkt_sched.h`, `TC_PRIO_FILLER`).
const LAST: u32 = 1;

/// Sends the copy of mapping `index`, or counts why not.
#[inline(never)]
pub fn send(skb: Skb, copy: &Copy, index: u32, mapping: &Mapping) -> i32 {
    skb.set_priority(LAST);
    let ask = |length| {
        let question = Question { length, ..copy.question() };
        route::ask(skb, settings::copy_ifindex(), &question)
    };
    let known = mapping.route_mtu;
    let mut way =
        if known != 0 && copy.length > known { Way::TooLarge(known) } else { ask(copy.length) };
    let mut pieces = 0;
    if let Way::TooLarge(mtu) = way {
        if let Some(cut) = pieces::prepare(skb, copy, mtu) {
            pieces = cut.count;
        }
        if pieces != 0 || skb.lower_segment_size(copy.length.saturating_sub(mtu)).is_ok() {
            way = ask(mtu);
        }
    }
    let (hop, resolved) = match way {
        Way::Known(hop) => (hop, true),
        Way::Unresolved(hop) => (hop, false),
        Way::NotAsked if mapping.out_ifindex != 0 => (NextHop::out_of(mapping.out_ifindex), true),
        Way::TooLarge(_) => return unsent(index, MappingCounter::UnsentTooLarge),
        Way::None | Way::NotAsked => return unsent(index, MappingCounter::UnsentNoRoute),
    };
    if pieces != 0 {
        return in_pieces(skb, copy, index, pieces, (&hop, resolved));
    }
    if resolved {
        let bytes = skb.length().saturating_sub(ETHERNET_HEADER);
        maps::count_sent(index, skb.segments(copy.payload), u64::from(bytes));
    } else {
        maps::count_mapping(index, MappingCounter::UnsentNextHop, 1);
    }
    hop.send()
}

/// Sends it in so many pieces. It is one copy still, in several segments.
#[inline(always)]
fn in_pieces(
    skb: Skb,
    copy: &Copy,
    index: u32,
    pieces: u32,
    (hop, resolved): (&NextHop, bool),
) -> i32 {
    let sent = pieces::send(skb, pieces, hop);
    trace::before::<trace_hooks::Copies>(skb);
    if sent != pieces {
        return unsent(index, MappingCounter::FailedRewrite);
    }
    if !resolved {
        return unsent(index, MappingCounter::UnsentNextHop);
    }
    let headers = copy.length.saturating_sub(copy.payload);
    let bytes = u64::from(pieces) * u64::from(headers) + u64::from(copy.payload);
    maps::count_sent(index, u64::from(pieces), bytes);
    drop_silently()
}

#[inline(always)]
fn unsent(index: u32, why: MappingCounter) -> i32 {
    maps::count_mapping(index, why, 1);
    drop_silently()
}
