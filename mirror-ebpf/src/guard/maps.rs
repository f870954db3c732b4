//! The guard's maps, and the only functions that touch them.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, PerCpuArray},
};
use mirror_common::abi::{GuardCounter, GuardedServer, MAX_GUARDED_SERVERS, Meta};
use mirror_ebpf::runtime::counters::Counters;

/// Who is guarded against.
#[map]
static GUARDED_SERVERS: HashMap<GuardedServer, u32> =
    HashMap::with_max_entries(MAX_GUARDED_SERVERS, 0);

#[map]
static COUNTERS: PerCpuArray<[u64; GuardCounter::COUNT]> = PerCpuArray::with_max_entries(1, 0);

/// Written and read by the agent only; here so that it is pinned with the rest.
#[map]
static META: Array<Meta> = Array::with_max_entries(1, 0);

/// Whether nothing of this sender may arrive.
#[inline(always)]
pub fn is_guarded(sender: &GuardedServer) -> bool {
    GUARDED_SERVERS.get_ptr(sender).is_some()
}

/// Adds one to this CPU's counter of packets seen, and to that of what became of one.
#[inline(always)]
pub fn count_seen(fate: GuardCounter) {
    if let Some(counters) = Counters::of(&COUNTERS, 0) {
        counters.add(GuardCounter::Seen as usize, 1);
        counters.add(fate as usize, 1);
    }
}
