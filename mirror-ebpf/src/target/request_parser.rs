//! Follows the requests in a segment's payload.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;
use mirror_common::{abi::RequestState, packet::Packet};
use mirror_ebpf::packet::skb::Skb;

/// Bytes of commands that are read of a packet at most, a few ns each; values cost nothing.
const STEPS: u32 = 4096;

struct Feed {
    skb: Skb,
    at: u32,
    end: u32,
    request_state: RequestState,
}

/// Where the stream is behind the payload from `at` to `end`, offsets in the packet, if it is at `request_state`
/// before it.
#[inline(never)]
pub fn feed(skb: Skb, at: u32, end: u32, state: &mut RequestState) {
    let mut feed = Feed { skb, at, end, request_state: *state };
    let step: unsafe extern "C" fn(u32, *mut Feed) -> i64 = step;
    // SAFETY: the kernel calls `step` with a number and `feed`, which outlives the call.
    unsafe { bpf_loop(STEPS, step as *mut c_void, (&raw mut feed).cast(), 0) };
    if feed.at < end {
        feed.request_state.lose();
    }
    *state = feed.request_state;
}

/// Called by the kernel for each step; returns 1 to stop.
unsafe extern "C" fn step(_number: u32, feed: *mut Feed) -> i64 {
    // SAFETY: valid for as long as the call is (see `feed`).
    let feed = unsafe { &mut *feed };
    feed.at += feed.request_state.skip(feed.end - feed.at);
    if feed.at >= feed.end || feed.request_state.is_lost() {
        return 1;
    }
    match feed.skb.bytes(feed.at) {
        Some([byte]) => feed.request_state.push(byte),
        None => feed.request_state.lose(),
    }
    feed.at += 1;
    0
}
