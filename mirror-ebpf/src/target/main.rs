//! The new host's programs: be the client that memcached talks to, and let nothing out.
//!
//! A copy arrives at `target_ingress`, sealed. It is given to the stack, held, or dropped; to hold
//! it, it is sent into the hold device, at whose other end `target_hold` judges it again, or sends it back
//! to `target_ingress`. What memcached answers meets `target_egress`.
#![no_std]
#![no_main]

mod admin_command;
mod classify;
mod egress;
mod evict;
mod fragment;
mod hold;
mod icmp;
mod ingress;
mod maps;
mod outcome;
mod request_parser;
mod segment;
mod source_mac;
mod syn;
mod tcp_copy;
mod trace_hooks;
mod udp_copy;
mod way_back;

use aya_ebpf::{macros::classifier, programs::TcContext};
use mirror_ebpf::{
    packet::{leaving::Bare, skb::Skb},
    runtime::trace,
};

/// tc ingress of the interface that copies arrive at.
#[classifier]
pub fn target_ingress(ctx: TcContext) -> i32 {
    let skb = Skb::new(&ctx);
    trace::before::<trace_hooks::Ingress>(skb);
    let verdict = ingress::run(skb);
    trace::after::<trace_hooks::Ingress>();
    verdict
}

/// tc egress of the interface that replies would leave by.
#[classifier]
pub fn target_egress(ctx: TcContext) -> i32 {
    let skb = Skb::new(&ctx);
    trace::before::<trace_hooks::Egress>(skb);
    let verdict = egress::run(skb);
    trace::after::<trace_hooks::Egress>();
    verdict
}

/// tc egress of an interface that sends IP packets without an Ethernet header, as tunnels do.
#[classifier]
pub fn target_tunnel(ctx: TcContext) -> i32 {
    let packet = Bare(Skb::new(&ctx));
    trace::before::<trace_hooks::Egress>(packet);
    let verdict = egress::run(packet);
    trace::after::<trace_hooks::Egress>();
    verdict
}

/// tc ingress of the far end of the hold device.
#[classifier]
pub fn target_hold(ctx: TcContext) -> i32 {
    let skb = Skb::new(&ctx);
    trace::before::<trace_hooks::Ingress>(skb);
    let verdict = hold::back(skb);
    trace::after::<trace_hooks::Ingress>();
    verdict
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
