//! The flow table is full: the flow that was idle the longest makes room.
//!
//! It is not simply forgotten: memcached's socket would outlive it, and sooner or later talk to the
//! real client. So the copy that needs room is queued for another pass, and what is left of it here
//! becomes the reset that ends that socket.

use mirror_common::{
    abi::{CopySide, FlowKey, TargetCounter},
    target::copy,
};
use mirror_ebpf::{
    packet::skb::{DROP, Skb},
    runtime::clock,
};

use crate::{
    maps::{self, Work},
    segment,
    tcp_copy::{again, discard, prelude},
};

/// Makes room for the copy that `work` describes. The verdict for it.
#[inline(never)]
pub fn make_room(skb: Skb, work: &mut Work) -> i32 {
    let now = clock::now();
    let segments = u64::from(work.segment.segments);
    let Some(idle) = maps::longest_idle(work.headers.family, now) else {
        return discard(TargetCounter::DiscardedTableFull, segments);
    };
    let Some(flow) = maps::flow(&idle) else {
        return discard(TargetCounter::DiscardedTableFull, segments);
    };
    let (socket, seq) = (copy::has_socket(flow), copy::reset_at(flow, now));
    if again(skb).is_err() {
        return discard(TargetCounter::DiscardedClone, segments);
    }
    // A real client's connection goes on without the mirror, and has to have its replies.
    if flow.copy.state == CopySide::STATE_REAL {
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
    prelude(skb, made)
}
