//! The target's maps, and the only functions that touch them.

mod breaker;
mod counters;
mod direct_requests;
mod flows;
mod fragments;

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, PerCpuArray},
};
use mirror_common::{
    abi::{
        Flow, FlowKey, MAX_ALLOWED_MACS, MAX_LISTENERS, Meta, ReceiveBuffer, Waits, mac_key, served,
    },
    packet::{parse::Headers, tcp::Header},
    target::copy::Segment,
};

pub use self::{
    breaker::breaker,
    counters::{count, count_many},
    direct_requests::{clear_direct_request, is_direct_request, note_direct_request},
    flows::{
        add_flow, clear_finished, clear_multipath, clear_noted_syn, count_withdrawn, finish,
        finished, flow, for_each_flow, forget, forget_unopened, is_multipath, key_of_copy,
        key_of_reply, note_multipath, note_syn, noted_syn,
    },
    fragments::{clear_dropped, is_dropped, note_dropped},
};

/// Index is the port, the value one of `served`. Four bytes, as arrays round up to eight.
#[map]
static PORTS: Array<u32> = Array::with_max_entries(1 << 16, 0);

/// Source MAC addresses that copies may come from, as [`mac_key`] has them.
#[map]
static ALLOWED_MACS: HashMap<u64, u32> = HashMap::with_max_entries(MAX_ALLOWED_MACS, 0);

/// Interfaces by which replies leave that are seen, by index: a host of many containers has one for each.
#[map]
static WAYS: HashMap<u32, u32> = HashMap::with_max_entries(4096, 0);

/// Written and read by the agent only; here so that it is pinned with the rest.
#[map]
static META: Array<Meta> = Array::with_max_entries(1, 0);

/// The same. What listeners had before the agent gave them more, by socket cookie.
#[map]
static RECEIVE_BUFFERS: HashMap<u64, ReceiveBuffer> = HashMap::with_max_entries(MAX_LISTENERS, 0);

/// The longest wait of late.
#[map]
static WAITS: Array<Waits> = Array::with_max_entries(1, 0);

/// What ingress knows of the packet at hand. Not on the stack, which is small.
#[map]
static WORK: PerCpuArray<Work> = PerCpuArray::with_max_entries(1, 0);

/// One packet's headers, flow key and segment.
#[repr(C)]
pub struct Work {
    pub headers: Headers,
    pub key: FlowKey,
    pub plain: Header,
    pub segment: Segment,
    /// What the last new flow looked like: all zero, but for its epoch.
    pub fresh: Flow,
    /// Until then, no flow is looked for that could make room, in ns.
    pub full_until: u64,
}

/// A copy goes into the hold device that has waited for so long, in ns.
#[inline(always)]
pub fn note_wait(waited: u64, now: u64) {
    // SAFETY: plain numbers in a pinned array. Two CPUs may write at once; then one of two waits is shown.
    if let Some(waits) = WAITS.get_ptr_mut(0).map(|waits| unsafe { &mut *waits })
        && (waited >= waits.longest || now.saturating_sub(waits.seen_at) > Waits::MEMORY)
    {
        *waits = Waits { longest: waited, seen_at: now };
    }
}

/// This CPU's [`Work`]. The programs at ingress, of the interface and of the hold device, run one after the other on a
/// CPU, never nested.
#[inline(always)]
pub fn work() -> Option<&'static mut Work> {
    // SAFETY: zeroed by the kernel, which is a valid value of every field; used at ingress only.
    WORK.get_ptr_mut(0).map(|work| unsafe { &mut *work })
}

/// What is done with a port: one of the values of [`served`].
#[inline(always)]
pub fn service(port: u16) -> u32 {
    PORTS.get(u32::from(port)).copied().unwrap_or(served::NO)
}

/// Whether replies that leave by this interface are seen.
#[inline(always)]
pub fn is_way(ifindex: u32) -> bool {
    WAYS.get_ptr(ifindex).is_some()
}

/// Whether copies may come from this MAC address.
#[inline(always)]
pub fn is_allowed_mac(mac: [u8; 6]) -> bool {
    ALLOWED_MACS.get_ptr(mac_key(mac)).is_some()
}
