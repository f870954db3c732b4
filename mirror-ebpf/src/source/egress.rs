//! Has copies fanned out and rewritten, and counts them as they leave.
//!
//! One program, which a copy enters once for each stage, as its mark says:
//!
//! ```text
//! ingress ─clone─▶ FanOut ─clones─▶ Rewrite ─next hop─▶ Leaving ─▶ wire
//!                    └── itself ──▶ rewritten at once ──┘
//! ```

use mirror_common::{
    abi::{
        MappingCounter, SourceCounter,
        mark::{self, Stage},
    },
    packet::{
        Packet,
        parse::{self, ETHERNET_HEADER},
    },
};
use mirror_ebpf::packet::skb::{DROP, NEXT, Skb, to_next_hop};

use crate::{extra_copy, fan_out, maps, rewrite};

#[inline(always)]
pub fn run(skb: Skb) -> i32 {
    match mark::unpack(skb.mark()) {
        Some((Stage::Leaving, index)) => account(skb, index),
        Some((Stage::FanOut, argument)) if skb.token() == mark::TOKEN => {
            let (generation, index) = mark::unpack_fan_out(argument);
            fan_out::clone_for_others(skb, generation, index);
            rewrite(skb, index)
        }
        Some((Stage::Rewrite, index)) if skb.token() == mark::TOKEN => rewrite(skb, index),
        _ => {
            maps::count(SourceCounter::EgressOther);
            NEXT
        }
    }
}

/// Rewrites the copy and hands it to the kernel's neighbour table.
#[inline(always)]
fn rewrite(skb: Skb, index: u32) -> i32 {
    let Some(mapping) = maps::mapping(index).filter(|mapping| mapping.family != 0) else {
        maps::count(SourceCounter::EgressUnmapped);
        return DROP;
    };
    let further = match extra_copy::unpack(skb.copy_id()) {
        (_, 0) => None,
        (generation, copy) => maps::selection(generation).map(|selection| (selection, copy)),
    };
    if rewrite::for_target(skb, mapping, further).is_err() {
        maps::count_mapping(index, MappingCounter::FailedRewrite, 1);
        return DROP;
    }
    skb.set_mark(mark::pack(Stage::Leaving, index));
    skb.set_token(0);
    skb.set_copy_id(0);
    to_next_hop(mapping.out_ifindex)
}

/// The copy has a next hop and leaves.
#[inline(always)]
fn account(skb: Skb, index: u32) -> i32 {
    skb.set_mark(0);
    let segments = match skb.is_super_packet() {
        true => parse::headers(&skb).map_or(1, |headers| skb.wire_packets(&headers)),
        false => 1,
    };
    maps::count_sent(index, segments, u64::from(skb.length().saturating_sub(ETHERNET_HEADER)));
    NEXT
}
