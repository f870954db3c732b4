//! Fans copies out, has them rewritten, and counts them as they leave.

use mirror_common::{
    abi::{
        MAX_COPIES, MAX_FAN_OUT, MappingCounter, SourceCounter,
        mark::{self, Stage},
    },
    packet::Packet,
    parse::{self, ETHERNET_HEADER, Headers},
    tcp::Header,
};
use mirror_ebpf::{
    settings,
    skb::{DROP, NEXT, Skb, to_next_hop},
};

use crate::{
    alias,
    ingress::TOKEN,
    limit::{self, Charge},
    maps, rewrite,
};

#[inline(always)]
pub fn run(skb: Skb) -> i32 {
    match mark::unpack(skb.mark()) {
        Some((Stage::Sent, index)) => leave(skb, index),
        Some((Stage::Fan, argument)) if skb.token() == TOKEN => {
            let (bank, index) = mark::unfan(argument);
            fan_out(skb, bank, index);
            send(skb, index)
        }
        Some((Stage::Single, index)) if skb.token() == TOKEN => send(skb, index),
        _ => {
            maps::count(SourceCounter::EgressOther);
            NEXT
        }
    }
}

/// Makes the clones that the packet's port asks for, all but one for the first mapping, which is
/// `skb` itself.
#[inline(always)]
fn fan_out(skb: Skb, bank: u32, first: u32) {
    let Some(choice) = maps::choice(bank) else { return };
    let alone = |port| maps::port(bank, port).is_none_or(|slot| slot.len < 2);
    if settings::redundancy() == 1
        && alias::copies(choice) == 1
        && parse::plain_ports(&skb).is_some_and(|(_, to)| alone(to))
    {
        return;
    }
    let Ok(headers) = parse::headers(&skb) else { return };
    let Some(slot) = maps::port(bank, headers.dst_port_number()) else { return };
    let charge = Charge::of(skb, &headers, choice);
    let claimed = if alias::copies(choice) == 1 { 1 } else { alias::claimed(&headers, choice) };
    let mut reached = false;
    for position in 0..MAX_FAN_OUT {
        if position >= slot.len as usize {
            break;
        }
        let index = u32::from(slot.mapping[position]);
        let wanted = maps::mapping(index)
            .is_some_and(|mapping| mapping.matches(headers.family, &headers.dst));
        if !wanted {
            continue;
        }
        // At ingress, those before the first did not take it.
        reached |= index == first;
        if !reached || index != first && !charge.admits(index) {
            continue;
        }
        for copy in 0..MAX_COPIES {
            if copy >= alias::copies(choice) {
                break;
            }
            if claimed & 1 << copy == 0 {
                maps::count_mapping(index, MappingCounter::Collided, 1);
                continue;
            }
            skb.set_second_token(alias::token(bank, copy));
            for _ in u32::from(index == first && copy == 0)..limit::times(&headers) {
                clone_for(skb, index);
            }
        }
    }
    skb.set_second_token(0);
}

/// Makes one clone, for mapping `index`.
#[inline(always)]
fn clone_for(skb: Skb, index: u32) {
    skb.set_mark(mark::pack(Stage::Single, index));
    let cloned = skb.clone_to_egress(skb.ifindex());
    maps::count_mapping(index, MappingCounter::Cloned, 1);
    if cloned.is_err() {
        maps::count_mapping(index, MappingCounter::FailedClone, 1);
    }
}

/// Rewrites the copy and hands it to the kernel's neighbour table.
#[inline(always)]
fn send(skb: Skb, index: u32) -> i32 {
    let Some(mapping) = maps::mapping(index).filter(|mapping| mapping.family != 0) else {
        maps::count(SourceCounter::EgressUnmapped);
        return DROP;
    };
    let further = match alias::untoken(skb.second_token()) {
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
