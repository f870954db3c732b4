//! Has copies fanned out and rewritten, and counts them as they leave.

use mirror_common::{
    abi::{
        MappingCounter, SourceCounter,
        mark::{self, Stage},
    },
    packet::{
        Packet,
        parse::{self, ETHERNET_HEADER, Headers},
        tcp::Header,
    },
};
use mirror_ebpf::packet::skb::{DROP, NEXT, Skb, to_next_hop};

use crate::{extra_copy, fan_out, ingress::TOKEN, maps, rewrite};

#[inline(always)]
pub fn run(skb: Skb) -> i32 {
    match mark::unpack(skb.mark()) {
        Some((Stage::Sent, index)) => leave(skb, index),
        Some((Stage::Fan, argument)) if skb.token() == TOKEN => {
            let (bank, index) = mark::unfan(argument);
            fan_out::out(skb, bank, index);
            send(skb, index)
        }
        Some((Stage::Single, index)) if skb.token() == TOKEN => send(skb, index),
        _ => {
            maps::count(SourceCounter::EgressOther);
            NEXT
        }
    }
}

/// Rewrites the copy and hands it to the kernel's neighbour table.
#[inline(always)]
fn send(skb: Skb, index: u32) -> i32 {
    let Some(mapping) = maps::mapping(index).filter(|mapping| mapping.family != 0) else {
        maps::count(SourceCounter::EgressUnmapped);
        return DROP;
    };
    let further = match extra_copy::untoken(skb.second_token()) {
        (_, 0) => None,
        (bank, copy) => maps::choice(bank).map(|choice| (choice, copy)),
    };
    if rewrite::for_target(skb, mapping, further).is_err() {
        maps::count_mapping(index, MappingCounter::FailedRewrite, 1);
        return DROP;
    }
    skb.set_mark(mark::pack(Stage::Sent, index));
    skb.set_token(0);
    skb.set_second_token(0);
    to_next_hop(mapping.out_ifindex)
}

/// The copy has a next hop and leaves.
#[inline(always)]
fn leave(skb: Skb, index: u32) -> i32 {
    skb.set_mark(0);
    let segments = if skb.is_super_packet() { segments_of_copy(skb) } else { 1 };
    maps::count_sent(index, segments, u64::from(skb.length().saturating_sub(ETHERNET_HEADER)));
    NEXT
}

#[inline(always)]
fn segments_of_copy(skb: Skb) -> u64 {
    parse::headers(&skb).map_or(1, |headers| segments(skb, &headers))
}

/// How many packets on the wire this one stands for.
#[inline(always)]
pub fn segments(skb: Skb, headers: &Headers) -> u64 {
    if !skb.is_super_packet() {
        return 1;
    }
    let header = match skb.words(headers.l4).map(Header) {
        Some(header) if headers.protocol == parse::TCP => header.length(),
        _ => 8,
    };
    skb.segments(headers.end.saturating_sub(headers.l4 + header))
}
