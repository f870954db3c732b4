//! The hold device: a veth pair whose near end has a slow queue.
//!
//! A copy that cannot be delivered yet goes in at the near end, waits in the queue, comes out at the
//! far end, and arrives at the real interface again. It stays sealed all the while.

use mirror_common::abi::mark::{self, Stage};
use mirror_ebpf::{
    settings,
    skb::{Skb, to_egress, to_ingress},
};

/// Verdict: the copy goes into the hold device.
#[inline(always)]
pub fn send(skb: Skb, epoch: u32) -> i32 {
    skb.set_mark(mark::pack(Stage::Held, epoch));
    to_egress(settings::hold_ifindex())
}

/// Verdict at the far end: back to the real interface.
#[inline(always)]
pub fn back() -> i32 {
    to_ingress(settings::ifindex())
}
