//! The flow table, and what is remembered of flows that ended.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::{BPF_ANY, BPF_F_NO_PREALLOC, BPF_NOEXIST},
    helpers::generated::bpf_for_each_map_elem,
    macros::map,
    maps::{HashMap, LruHashMap},
};
use mirror_common::{
    abi::{CopySide, Finished, Flow, FlowKey, NotedSyn, ReplySide, TargetCounter},
    packet::parse::Headers,
    target::copy,
};

use super::counters::{count, count_many};

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

/// SYNs of connections that were not opened yet. A connection whose note is forgotten is joined as one that is older than
/// the mirror; so many that only connect can push nothing else out.
#[map]
static NOTED_SYNS: LruHashMap<FlowKey, NotedSyn> = LruHashMap::with_max_entries(1 << 16, 0);

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

/// Adds a flow, or says why there is no room.
#[inline(always)]
pub fn add_flow(key: &FlowKey, fresh: &mut Flow) -> Result<&'static mut Flow, TargetCounter> {
    /// `include/uapi/asm-generic/errno-base.h`.
    const ENOMEM: i32 = -12;
    fresh.copy.epoch = fresh.copy.epoch.wrapping_add(CopySide::EPOCH_STEP);
    // Another CPU may have been first: then its entry is the flow.
    let added = FLOWS.insert(key, &*fresh, u64::from(BPF_NOEXIST));
    flow(key).ok_or(match added {
        Err(ENOMEM) => TargetCounter::DiscardedNoMemory,
        _ => TargetCounter::DiscardedTableFull,
    })
}

/// Has the kernel call `visit` with the map, each flow, and `context`, which outlives the call, until it returns 1.
#[inline(always)]
pub fn for_each_flow<C>(
    visit: unsafe extern "C" fn(*mut c_void, *const FlowKey, *const Flow, *mut C) -> i64,
    context: &mut C,
) {
    // SAFETY: `visit` has the signature that the kernel calls (bpf-helpers(7), `bpf_for_each_map_elem`).
    unsafe {
        bpf_for_each_map_elem(
            (&raw const FLOWS).cast_mut().cast(),
            visit as *mut c_void,
            (&raw mut *context).cast(),
            0,
        );
    }
}

/// Ends a flow: its stragglers are those before `end`.
#[inline(always)]
pub fn finish(key: &FlowKey, flow: &Flow, end: u32) {
    let finished = Finished {
        end,
        isn: flow.copy.isn,
        given: flow.copy.next_seq,
        unauthenticated: u32::from(flow.reply.has(ReplySide::BIT_UNAUTHENTICATED)),
    };
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

/// Ends a flow whose connection was not opened.
#[inline(always)]
pub fn forget_unopened(key: &FlowKey) {
    let _ = FLOWS.remove(key);
    clear_noted_syn(key);
}

/// What is known of a flow that ended.
#[inline(always)]
pub fn finished(key: &FlowKey) -> Option<Finished> {
    // SAFETY: copied out at once.
    unsafe { FINISHED.get(key) }.copied()
}

/// A direct client has begun to use the 4-tuple of a flow that ended.
#[inline(always)]
pub fn clear_finished(key: &FlowKey) {
    let _ = FINISHED.remove(key);
}

/// A SYN was copied.
#[inline(always)]
pub fn note_syn(key: &FlowKey, note: NotedSyn) {
    let _ = NOTED_SYNS.insert(key, note, u64::from(BPF_ANY));
}

/// What is known of the SYN of a connection that is not open.
#[inline(always)]
pub fn noted_syn(key: &FlowKey) -> Option<&'static mut NotedSyn> {
    // SAFETY: plain numbers, in memory that stays the map's; written at ingress. An entry that is used again meanwhile may
    // get another connection's acknowledgement, which is far from its own number.
    NOTED_SYNS.get_ptr_mut(key).map(|note| unsafe { &mut *note })
}

/// The connection is open, or its client has ended it.
#[inline(always)]
pub fn clear_noted_syn(key: &FlowKey) {
    let _ = NOTED_SYNS.remove(key);
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
