//! The old host's programs: copy what arrives for a mapped port, and send the copies.
//!
//! A packet meets `source_ingress`. Its clone meets `source_copies` at the egress of the copy device, which makes copies
//! of it and sends them.
#![no_std]
#![no_main]

mod copy;
mod copy_device;
mod cut;
mod extra_copy;
mod fan_out;
mod icmp;
mod ingress;
mod maps;
mod next_hop;
mod pieces;
mod rate_limit;
mod rewrite;
mod select;
mod taken;
mod trace_hooks;

use aya_ebpf::{macros::classifier, programs::TcContext};
use mirror_ebpf::{packet::skb::Skb, runtime::trace};

/// tc ingress. Every packet goes on, whatever happened to its copy; ICMP errors about copies end.
#[classifier]
pub fn source_ingress(ctx: TcContext) -> i32 {
    let skb = Skb::new(&ctx);
    trace::before::<trace_hooks::Ingress>(skb);
    let verdict = ingress::run(skb);
    trace::after::<trace_hooks::Ingress>();
    verdict
}

/// tc egress of the copy device. Nothing goes on: it is sent, or ends.
#[classifier]
pub fn source_copies(ctx: TcContext) -> i32 {
    let skb = Skb::new(&ctx);
    trace::before::<trace_hooks::Copies>(skb);
    let verdict = copy_device::run(skb);
    trace::after::<trace_hooks::Copies>();
    verdict
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
