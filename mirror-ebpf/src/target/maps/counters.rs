//! The target's counters.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use mirror_common::abi::TargetCounter;
use mirror_ebpf::runtime::{counters::Counters, trace};

use crate::trace_hooks;

#[map]
static COUNTERS: PerCpuArray<[u64; TargetCounter::COUNT]> = PerCpuArray::with_max_entries(1, 0);

/// Adds one to this CPU's counter.
#[inline(always)]
pub fn count(counter: TargetCounter) {
    count_many(counter, 1);
}

/// Adds to this CPU's counter.
#[inline(always)]
pub fn count_many(counter: TargetCounter, amount: u64) {
    trace::note::<trace_hooks::Ingress>(counter as u32);
    if let Some(counters) = Counters::of(&COUNTERS, 0) {
        counters.add(counter as usize, amount);
    }
}
