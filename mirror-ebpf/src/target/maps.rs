//! The target's maps, and the only functions that touch them.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::{BPF_ANY, BPF_F_NO_PREALLOC, BPF_NOEXIST},
    helpers::generated::bpf_for_each_map_elem,
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray},
};
use mirror_common::{
    abi::{
        CopySide, Finished, Flow, FlowKey, FragmentKey, MAX_FEEDERS, MAX_LISTENERS, Meta,
        ReceiveBuffer, TargetCounter, Waits, mac_key, served, v4_mapped,
    },
    packet::{parse::Headers, tcp::Header},
    target::copy::{self, Segment},
};
use mirror_ebpf::runtime::{counters::Counters, trace};

use crate::trace_hooks;

/// Index is the port, the value one of `served`. Four bytes, as arrays round up to eight.
#[map]
static PORTS: Array<u32> = Array::with_max_entries(1 << 16, 0);

/// The agent sets the size. Not an LRU: a flow that the kernel evicts would let replies out.
#[map]
static FLOWS: HashMap<FlowKey, Flow> = HashMap::with_max_entries(1 << 20, BPF_F_NO_PREALLOC);

/// Flows that ended, so that stragglers on either side are known. Forgetting the oldest is harmless.
#[map]
static FINISHED: LruHashMap<FlowKey, Finished> = LruHashMap::with_max_entries(1 << 16, 0);

/// Connections whose server agreed to MPTCP, so that no segment of theirs without its option is taken for
/// another connection's. Forgetting the oldest leaves the proof of a boundary.
#[map]
static MULTIPATH: LruHashMap<FlowKey, u32> = LruHashMap::with_max_entries(1 << 14, 0);

/// UDP requests of real clients. A reply to any other is dropped, so forgetting the oldest leaks none.
#[map]
static REAL_REQUESTS: LruHashMap<FlowKey, u32> = LruHashMap::with_max_entries(1 << 16, 0);

/// Packets whose first fragment was swallowed and whose last is yet to come: a few, since the kernel sends
/// a packet's fragments in a row. An LRU, so that it does not fill up.
#[map]
static SWALLOWED: LruHashMap<FragmentKey, u32> = LruHashMap::with_max_entries(1 << 12, 0);

/// Source MAC addresses that copies may come from, as [`mac_key`] has them.
#[map]
static FEEDERS: HashMap<u64, u32> = HashMap::with_max_entries(MAX_FEEDERS, 0);

#[map]
static COUNTERS: PerCpuArray<[u64; TargetCounter::COUNT]> = PerCpuArray::with_max_entries(1, 0);

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

/// What is done with a port: one of the values of [`served`].
#[inline(always)]
pub fn service(port: u16) -> u32 {
    PORTS.get(u32::from(port)).copied().unwrap_or(served::NO)
}

/// Whether copies may come from this MAC address.
#[inline(always)]
pub fn is_feeder(mac: [u8; 6]) -> bool {
    FEEDERS.get_ptr(mac_key(mac)).is_some()
}

/// The key of the flow that an arriving packet belongs to.
#[inline(always)]
pub fn key_of_copy(headers: &Headers) -> FlowKey {
    FlowKey {
        client_addr: headers.src,
        local_addr: headers.dst,
        client_port: headers.src_port,
        local_port: headers.dst_port,
        protocol: headers.protocol,
        pad: 0,
        request: 0,
    }
}

/// The key of the flow that a leaving packet belongs to.
#[inline(always)]
pub fn key_of_reply(headers: &Headers) -> FlowKey {
    FlowKey {
        client_addr: headers.dst,
        local_addr: headers.src,
        client_port: headers.dst_port,
        local_port: headers.src_port,
        protocol: headers.protocol,
        pad: 0,
        request: 0,
    }
}

/// The flow of `key`.
#[inline(always)]
pub fn flow(key: &FlowKey) -> Option<&'static mut Flow> {
    // SAFETY: an element stays readable while the program runs (RCU). Who writes which field, on
    // which CPU, is said in `mirror_common::abi::Flow`.
    FLOWS.get_ptr_mut(key).map(|flow| unsafe { &mut *flow })
}

/// Adds a flow; `None` when the table is full.
#[inline(always)]
pub fn add_flow(key: &FlowKey, fresh: &mut Flow) -> Option<&'static mut Flow> {
    fresh.copy.epoch = fresh.copy.epoch.wrapping_add(CopySide::EPOCH_STEP);
    // Another CPU may have been first: then its entry is the flow.
    let _ = FLOWS.insert(key, &*fresh, u64::from(BPF_NOEXIST));
    flow(key)
}

/// Flows that are looked at to find one that makes room: a µs or two for each fifty.
const SAMPLE: u32 = 1000;

/// What is sought, and what was found.
struct Search {
    v4: bool,
    now: u64,
    left: u32,
    oldest: u64,
    found: FlowKey,
}

/// Of a sample of flows of `family`, the one that was idle the longest; `None` where all are in use.
#[inline(never)]
pub fn longest_idle(family: u8, now: u64) -> Option<FlowKey> {
    let mut search = Search {
        v4: family == 4,
        now,
        // Always the sample, which the verifier must not know: that of Linux 6.1 goes through `visit` once, and
        // would take out the end of the search as unreachable.
        left: if now == 0 { 1 } else { SAMPLE },
        oldest: u64::MAX,
        found: FlowKey {
            client_addr: [0; 4],
            local_addr: [0; 4],
            client_port: 0,
            local_port: 0,
            protocol: 0,
            pad: 0,
            request: 0,
        },
    };
    let visit: unsafe extern "C" fn(*mut c_void, *const FlowKey, *const Flow, *mut Search) -> i64 =
        visit;
    // SAFETY: the kernel calls `visit` with the map, an entry, and `search`, which outlives the call.
    unsafe {
        bpf_for_each_map_elem(
            (&raw const FLOWS).cast_mut().cast(),
            visit as *mut c_void,
            (&raw mut search).cast(),
            0,
        );
    }
    if search.oldest == u64::MAX { None } else { Some(search.found) }
}

/// Called by the kernel for each flow; returns 1 to stop.
unsafe extern "C" fn visit(
    _map: *mut c_void,
    key: *const FlowKey,
    flow: *const Flow,
    search: *mut Search,
) -> i64 {
    // SAFETY: valid for as long as the call is (see `longest_idle`).
    let (key, flow, search) = unsafe { (&*key, &*flow, &mut *search) };
    let is_v4 =
        key.client_addr[2] == v4_mapped(0)[2] && key.client_addr[0] | key.client_addr[1] == 0;
    if is_v4 == search.v4
        && flow.copy.seen_at < search.oldest
        && copy::is_idle(&flow.copy, search.now)
    {
        search.oldest = flow.copy.seen_at;
        search.found = *key;
    }
    search.left -= 1;
    i64::from(search.left == 0)
}

/// Ends a flow: its stragglers are those before `end`.
#[inline(always)]
pub fn finish(key: &FlowKey, flow: &Flow, end: u32) {
    let finished = Finished { end, isn: flow.copy.isn, given: flow.copy.next_seq };
    let _ = FINISHED.insert(key, finished, u64::from(BPF_ANY));
    count_withdrawn(copy::withdrawn(flow));
    forget(key);
}

/// TCP had so many segments ahead of one that did not come.
#[inline(always)]
pub fn count_withdrawn(segments: u32) {
    if segments > 0 {
        count_many(TargetCounter::Withdrawn, u64::from(segments));
    }
}

/// Ends a flow that has no stragglers of the mirror's: from now on its replies pass.
#[inline(always)]
pub fn forget(key: &FlowKey) {
    if FLOWS.remove(key).is_ok() {
        count(TargetCounter::Closed);
    }
}

/// What is known of a flow that ended.
#[inline(always)]
pub fn finished(key: &FlowKey) -> Option<Finished> {
    // SAFETY: copied out at once.
    unsafe { FINISHED.get(key) }.copied()
}

/// A real client has begun to use the 4-tuple of a flow that ended.
#[inline(always)]
pub fn clear_finished(key: &FlowKey) {
    let _ = FINISHED.remove(key);
}

/// A server has agreed to MPTCP.
#[inline(always)]
pub fn note_multipath(key: &FlowKey) {
    let _ = MULTIPATH.insert(key, 1, u64::from(BPF_ANY));
}

/// A SYN begins another connection of the same ends.
#[inline(always)]
pub fn clear_multipath(key: &FlowKey) {
    let _ = MULTIPATH.remove(key);
}

/// Whether a server has agreed to MPTCP.
#[inline(always)]
pub fn is_multipath(key: &FlowKey) -> bool {
    MULTIPATH.get_ptr(key).is_some()
}

/// A real client's UDP request arrived.
#[inline(always)]
pub fn note_real_request(key: &FlowKey) {
    let _ = REAL_REQUESTS.insert(key, 1, u64::from(BPF_ANY));
}

/// A mirrored client uses the same request id.
#[inline(always)]
pub fn clear_real_request(key: &FlowKey) {
    let _ = REAL_REQUESTS.remove(key);
}

/// Whether a real client asked for this UDP reply.
#[inline(always)]
pub fn is_real_request(key: &FlowKey) -> bool {
    REAL_REQUESTS.get_ptr(key).is_some()
}

/// The further fragments of this packet have to be swallowed.
#[inline(always)]
pub fn note_swallowed(key: &FragmentKey) {
    let _ = SWALLOWED.insert(key, 1, u64::from(BPF_ANY));
}

/// That was the packet's last, or it is another under the same key.
#[inline(always)]
pub fn clear_swallowed(key: &FragmentKey) {
    let _ = SWALLOWED.remove(key);
}

/// Whether the first fragment of this packet was swallowed.
#[inline(always)]
pub fn is_swallowed(key: &FragmentKey) -> bool {
    SWALLOWED.get_ptr(key).is_some()
}
