//! UDP requests of direct clients, whose replies pass.

use aya_ebpf::{bindings::BPF_ANY, macros::map, maps::LruHashMap};
use mirror_common::abi::FlowKey;

/// UDP requests of direct clients. A reply to any other is dropped, so forgetting the oldest leaks none.
#[map]
static DIRECT_REQUESTS: LruHashMap<FlowKey, u32> = LruHashMap::with_max_entries(1 << 16, 0);

/// A direct client's UDP request arrived.
#[inline(always)]
pub fn note_direct_request(key: &FlowKey) {
    let _ = DIRECT_REQUESTS.insert(key, 1, u64::from(BPF_ANY));
}

/// A mirrored client uses the same request id.
#[inline(always)]
pub fn clear_direct_request(key: &FlowKey) {
    let _ = DIRECT_REQUESTS.remove(key);
}

/// Whether a direct client asked for this UDP reply.
#[inline(always)]
pub fn is_direct_request(key: &FlowKey) -> bool {
    DIRECT_REQUESTS.get_ptr(key).is_some()
}
