//! Sends a finished copy the way that the kernel's routing tables give it at this moment.

use mirror_common::{
    abi::{Mapping, MappingCounter},
    packet::{Packet, parse::ETHERNET_HEADER},
};
use mirror_ebpf::{
    packet::{
        route::{self, Question, Way},
        skb::{Skb, drop_silently, to_next_hop},
    },
    runtime::settings,
};

use crate::{copy::Copy, maps};

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
    if let Way::TooLarge(mtu) = way
        && skb.lower_segment_size(copy.length.saturating_sub(mtu)).is_ok()
    {
        way = ask(mtu);
    }
    match way {
        Way::Known(hop) => {
            count(skb, copy, index);
            hop.send()
        }
        Way::Unresolved(hop) => {
            maps::count_mapping(index, MappingCounter::UnsentNextHop, 1);
            hop.send()
        }
        Way::NotAsked if mapping.out_ifindex != 0 => {
            count(skb, copy, index);
            to_next_hop(mapping.out_ifindex)
        }
        Way::TooLarge(_) => {
            maps::count_mapping(index, MappingCounter::UnsentTooLarge, 1);
            drop_silently()
        }
        Way::None | Way::NotAsked => {
            maps::count_mapping(index, MappingCounter::UnsentNoRoute, 1);
            drop_silently()
        }
    }
}

#[inline(always)]
fn count(skb: Skb, copy: &Copy, index: u32) {
    let bytes = u64::from(skb.length().saturating_sub(ETHERNET_HEADER));
    maps::count_sent(index, skb.segments(copy.payload), bytes);
}
