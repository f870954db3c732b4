//! Has copies fanned out, rewritten and sent.
//!
//! The program at the egress of the copy device, which a copy enters once for each stage, as its mark says:
//!
//! ```text
//! ingress ─clone─▶ FanOut ─clones─▶ Rewrite ─▶ next hop ─▶ wire
//!                    └── itself ──▶ rewritten at once ──┤
//!                                                       └─clones─▶ Piece ─▶ next hop   (larger than the path takes)
//! ```
//!
//! Nothing comes out of the copy device: what this program does not send ends there, and so does everything when the
//! program is gone. Who makes clones hears of the latter only: what ends here has a counter here.

use mirror_common::abi::{
    MappingCounter, SourceCounter,
    mark::{self, Stage},
};
use mirror_ebpf::{
    packet::skb::{Skb, drop_silently},
    runtime::trace,
};

use crate::{extra_copy, fan_out, maps, next_hop, pieces, rewrite, trace_hooks};

#[inline(always)]
pub fn run(skb: Skb) -> i32 {
    match mark::unpack(skb.mark()) {
        Some((Stage::FanOut, argument)) if skb.token() == mark::TOKEN => {
            let (generation, index) = mark::unpack_fan_out(argument);
            fan_out::clone_for_others(skb, generation, index);
            finish(skb, index)
        }
        Some((Stage::Rewrite, index)) if skb.token() == mark::TOKEN => finish(skb, index),
        Some((Stage::Piece, _)) if skb.token() == mark::TOKEN => pieces::run(skb),
        _ => {
            maps::count(SourceCounter::CopyDeviceOther);
            drop_silently()
        }
    }
}

/// Rewrites the copy for mapping `index`, and sends it.
#[inline(always)]
fn finish(skb: Skb, index: u32) -> i32 {
    let Some(mapping) = maps::mapping(index).filter(|mapping| mapping.family != 0) else {
        maps::count(SourceCounter::Unmapped);
        return drop_silently();
    };
    let further = match extra_copy::unpack(skb.copy_id()) {
        (_, 0) => None,
        (generation, copy) => maps::selection(generation).map(|selection| (selection, copy)),
    };
    // Never without, since the array has its one entry.
    let Some(copy) = maps::copy() else { return drop_silently() };
    if rewrite::for_target(skb, mapping, further, copy).is_err() {
        maps::count_mapping(index, MappingCounter::FailedRewrite, 1);
        return drop_silently();
    }
    trace::before::<trace_hooks::Copies>(skb);
    skb.set_mark(0);
    skb.set_token(0);
    skb.set_copy_id(0);
    next_hop::send(skb, copy, index, mapping)
}
