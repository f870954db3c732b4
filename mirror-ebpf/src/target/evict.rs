//! The flow table is full: the flow that was idle the longest makes room.
//!
//! It is not simply forgotten: memcached's socket would outlive it, and sooner or later talk to the
//! client of production. So the copy that needs room is queued for another pass, and what is left of it here
//! becomes the reset that ends that socket.

use core::ffi::c_void;

use mirror_common::{
    abi::{Flow, FlowKey, State, TargetCounter, v4_mapped},
    target::copy,
};
use mirror_ebpf::packet::skb::{DROP, Skb};

use crate::{
    maps::{self, Work},
    outcome::{discard, pass_synthesized, requeue},
    segment,
};

/// Makes room for the copy that `work` describes, at `now` in ns. The verdict for it.
#[inline(never)]
pub fn make_room(skb: Skb, work: &mut Work, now: u64) -> i32 {
    let segments = u64::from(work.segment.segments);
    if now < work.full_until {
        return discard(TargetCounter::DiscardedTableFull, segments);
    }
    let Some(idle) = longest_idle(work.headers.family, now) else {
        work.full_until = now + SEARCH_PAUSE;
        return discard(TargetCounter::DiscardedTableFull, segments);
    };
    let Some(flow) = maps::flow(&idle) else {
        return discard(TargetCounter::DiscardedTableFull, segments);
    };
    let (socket, seq) = (copy::has_socket(flow), copy::reset_at(flow, now));
    if requeue(skb).is_err() {
        return discard(TargetCounter::DiscardedClone, segments);
    }
    // A direct client's connection goes on without the mirror, and has to have its replies.
    if flow.copy.state == State::DIRECT {
        maps::forget(&idle);
    } else {
        maps::finish(&idle, flow, flow.copy.next_seq);
    }
    maps::count(TargetCounter::Evicted);
    if !socket {
        return DROP;
    }
    reset(skb, work, &idle, seq)
}

/// Turns the packet into the reset of another flow's socket.
#[inline(always)]
fn reset(skb: Skb, work: &mut Work, idle: &FlowKey, seq: u32) -> i32 {
    if segment::readdress(skb, &work.headers, &idle.client_addr, &idle.local_addr).is_err() {
        return DROP;
    }
    work.headers.src = idle.client_addr;
    work.headers.dst = idle.local_addr;
    work.plain.set_ports(idle.client_port, idle.local_port);
    let made = segment::into_rst(skb, &work.headers, &work.plain, seq);
    if made.is_ok() {
        maps::count(TargetCounter::Reset);
    }
    pass_synthesized(skb, made)
}

/// Flows that are looked at to find one that makes room: a µs or two for each fifty.
const SAMPLE: u32 = 1000;

/// How long a CPU does not look again when it found none, in ns: so many packets want room that each search would take more
/// time than all else.
const SEARCH_PAUSE: u64 = 20_000_000;

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
fn longest_idle(family: u8, now: u64) -> Option<FlowKey> {
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
    maps::for_each_flow(visit, &mut search);
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
