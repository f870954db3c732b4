//! Sends a finished copy the way that the kernel's routing tables give it at this moment.

use mirror_common::{
    abi::{Mapping, MappingCounter},
    packet::{Packet, parse::ETHERNET_HEADER},
};
use mirror_ebpf::{
    packet::{
        route::{self, Way},
        skb::{DROP, Skb, to_next_hop},
    },
    runtime::settings,
};

use crate::{maps, rewrite::Copy};

/// Of the priorities that a packet can have, the one that every queue with bands sends last
/// (`include/uapi/linux/pkt_sched.h`, `TC_PRIO_FILLER`).
const LAST: u32 = 1;

/// Sends the copy, or counts why not.
#[inline(always)]
pub fn send(skb: Skb, copy: &Copy<'_>, (index, mapping): (u32, &Mapping)) -> i32 {
    skb.set_priority(LAST);
    let mut way = route::ask(skb, settings::copy_ifindex(), &copy.question());
    if let Way::TooLarge(mtu) = way {
        if skb.lower_segment_size(copy.length.saturating_sub(mtu)).is_err() {
            maps::count_mapping(index, MappingCounter::UnsentTooLarge, 1);
            return DROP;
        }
        way = route::ask(skb, settings::copy_ifindex(), &route::Question { length: mtu, ..copy.question() });
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
            DROP
        }
        Way::None | Way::NotAsked => {
            maps::count_mapping(index, MappingCounter::UnsentNoRoute, 1);
            DROP
        }
    }
}

#[inline(always)]
fn count(skb: Skb, copy: &Copy<'_>, index: u32) {
    let segments = match skb.is_super_packet() {
        true => skb.segments(copy.payload),
        false => 1,
    };
    maps::count_sent(index, segments, u64::from(skb.length().saturating_sub(ETHERNET_HEADER)));
}
