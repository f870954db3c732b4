//! Replies in IP fragments, whose first fragment was dropped.

use aya_ebpf::{bindings::BPF_ANY, macros::map, maps::LruHashMap};
use mirror_common::abi::FragmentKey;

/// Packets whose first fragment was swallowed and whose last is yet to come: a few, since the kernel sends
/// a packet's fragments in a row. An LRU, so that it does not fill up.
#[map]
static DROPPED_FRAGMENTS: LruHashMap<FragmentKey, u32> = LruHashMap::with_max_entries(1 << 12, 0);

/// The further fragments of this packet have to be swallowed.
#[inline(always)]
pub fn note_dropped(key: &FragmentKey) {
    let _ = DROPPED_FRAGMENTS.insert(key, 1, u64::from(BPF_ANY));
}

/// That was the packet's last, or it is another under the same key.
#[inline(always)]
pub fn clear_dropped(key: &FragmentKey) {
    let _ = DROPPED_FRAGMENTS.remove(key);
}

/// Whether the first fragment of this packet was swallowed.
#[inline(always)]
pub fn is_dropped(key: &FragmentKey) -> bool {
    DROPPED_FRAGMENTS.get_ptr(key).is_some()
}
