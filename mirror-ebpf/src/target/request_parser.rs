//! Follows the requests in a segment's payload.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;
use mirror_common::{abi::RequestState, packet::Packet};
use mirror_ebpf::packet::skb::Skb;

/// Bytes of commands that are read of a packet at most, a few ns each; values cost nothing.
const STEPS: u32 = 4096;

struct Along {
    skb: Skb,
    at: u32,
    end: u32,
    walk: RequestState,
}

/// Where the stream is behind the payload from `at` to `end`, offsets in the packet, if it is at `walk`
/// before it.
#[inline(never)]
pub fn along(skb: Skb, at: u32, end: u32, walk: &mut RequestState) {
    let mut along = Along { skb, at, end, walk: *walk };
    let step: unsafe extern "C" fn(u32, *mut Along) -> i64 = step;
    // SAFETY: the kernel calls `step` with a number and `along`, which outlives the call.
    unsafe { bpf_loop(STEPS, step as *mut c_void, (&raw mut along).cast(), 0) };
    if along.at < end {
        along.walk.lose();
    }
    *walk = along.walk;
}

/// Called by the kernel for each step; returns 1 to stop.
unsafe extern "C" fn step(_number: u32, along: *mut Along) -> i64 {
    // SAFETY: valid for as long as the call is (see `along`).
    let along = unsafe { &mut *along };
    along.at += along.walk.skip(along.end - along.at);
    if along.at >= along.end || along.walk.is_lost() {
        return 1;
    }
    match along.skb.bytes(along.at) {
        Some([byte]) => along.walk.step(byte),
        None => along.walk.lose(),
    }
    along.at += 1;
    0
}
