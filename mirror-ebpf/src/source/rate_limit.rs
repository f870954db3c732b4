//! `--rate-limit`: whether a map still takes the packet's connection, before a copy is made for it.

use mirror_common::{
    abi::{MAX_REDUNDANCY, MappingCounter, PortSlot, Selection},
    packet::{
        Packet,
        parse::{Headers, TCP},
    },
    source::rate_limit,
};
use mirror_ebpf::{
    packet::skb::Skb,
    runtime::{clock, settings},
};

use crate::{extra_copy, maps};

/// The packet's flow, and what a copy of the packet costs.
#[derive(Clone, Copy)]
pub struct Charge {
    limited: bool,
    place: u64,
    cost: u64,
}

impl Charge {
    /// Of the packet at hand.
    #[inline(always)]
    pub fn of(skb: Skb, headers: &Headers, selection: &Selection) -> Self {
        if !rate_limit::is_limited(selection) {
            return Self { limited: false, place: 0, cost: 0 };
        }
        let times = u64::from(times(headers)) * u64::from(extra_copy::copies(selection));
        let bytes = u64::from(skb.length().saturating_sub(headers.l3));
        let (client_port, local_port) = (headers.src_port_number(), headers.dst_port_number());
        Self {
            limited: true,
            place: rate_limit::place(selection, &headers.src, client_port, local_port),
            cost: rate_limit::cost(selection, times * skb.wire_packets(headers), times * bytes),
        }
    }

    /// Whether mapping `index` takes it, and pays. Counts if not.
    #[inline(always)]
    pub fn admits(self, index: u32) -> bool {
        !self.limited || admits(index, self.place, self.cost)
    }

    /// The first mapping of `slot` that takes it; `first` is the first that matches.
    #[inline(always)]
    pub fn first(self, slot: &PortSlot, headers: &Headers, first: u32) -> Option<u32> {
        if !self.limited {
            return Some(first);
        }
        maps::find(slot, headers, |index| self.admits(index))
    }
}

/// How often a copy is sent. A datagram that arrives twice is applied twice; a segment is not.
#[inline(always)]
pub fn times(headers: &Headers) -> u32 {
    if headers.protocol == TCP { settings::redundancy().min(MAX_REDUNDANCY) } else { 1 }
}

#[inline(never)]
fn admits(index: u32, place: u64, cost: u64) -> bool {
    let admitted = maps::rate_state(index)
        .is_none_or(|state| rate_limit::admit(state, place, cost, clock::now()));
    if !admitted {
        maps::count_mapping(index, MappingCounter::RateLimited, 1);
    }
    admitted
}
