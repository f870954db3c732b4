//! A guard's program: drops what a new host might still send to clients.
//!
//! The second belt, for the old host's side or the clients'; the first is the target's own egress.
#![no_std]
#![no_main]

mod maps;

use aya_ebpf::{
    bindings::xdp_action::{XDP_DROP, XDP_PASS},
    macros::xdp,
    programs::XdpContext,
};
use mirror_common::{abi::GuardCounter, guard};
use mirror_ebpf::packet::xdp::Frame;

/// XDP, so that what is dropped costs as little as can be. Frames of several buffers are taken as they are.
#[xdp(frags)]
pub fn guard_ingress(ctx: XdpContext) -> u32 {
    let fate = guard::judge(&Frame::new(&ctx), maps::is_guarded);
    maps::count_seen(fate);
    if fate == GuardCounter::Passed { XDP_PASS } else { XDP_DROP }
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
