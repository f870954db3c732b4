//! The old host's programs: copy what arrives for a mapped port, and send the copies.
//!
//! A packet meets `source_ingress` first. Its copy meets `source_egress` twice: to be rewritten and
//! sealed, and on its way out, to be counted.
#![no_std]
#![no_main]

mod egress;
mod extra_copy;
mod fan_out;
mod ingress;
mod maps;
mod rate_limit;
mod rewrite;
mod select;
mod trace_hooks;

use aya_ebpf::{macros::classifier, programs::TcContext};
use mirror_ebpf::{packet::skb::Skb, runtime::trace};

/// tc ingress. Every packet goes on, whatever happened to its copy.
#[classifier]
pub fn source_ingress(ctx: TcContext) -> i32 {
    let skb = Skb::new(&ctx);
    trace::before::<trace_hooks::Ingress>(skb);
    let verdict = ingress::run(skb);
    trace::after::<trace_hooks::Ingress>();
    verdict
}

/// tc egress. Packets that are not copies go on untouched.
#[classifier]
pub fn source_egress(ctx: TcContext) -> i32 {
    let skb = Skb::new(&ctx);
    trace::before::<trace_hooks::Egress>(skb);
    let verdict = egress::run(skb);
    trace::after::<trace_hooks::Egress>();
    verdict
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
