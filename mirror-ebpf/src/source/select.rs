//! Whether a packet that a map takes is copied, and what is counted of it in a dry run.

use mirror_common::{
    abi::{MAX_FAN_OUT, PortSlot, Selection, SourceCounter},
    packet::{Packet, parse::Headers},
    source::select,
};
use mirror_ebpf::{packet::skb::Skb, runtime::clock};

use crate::{
    extra_copy, maps,
    rate_limit::{self, Charge},
};

/// What to do with a packet that can be copied: the selection that took it, or why it is not taken.
#[inline(always)]
pub fn take(generation: u32, headers: &Headers) -> Result<&'static Selection, SourceCounter> {
    // Never without, since the array has its one entry.
    let selection = maps::selection(generation).ok_or(SourceCounter::SkippedExpired)?;
    // Where nothing was chosen, neither clock nor table is asked.
    if selection.deadline != 0 && select::is_expired(selection, clock::since_boot()) {
        return Err(SourceCounter::SkippedExpired);
    }
    if selection.by_client != 0
        && !select::takes_client(selection, maps::client(generation, headers.family, &headers.src))
    {
        return Err(SourceCounter::SkippedClient);
    }
    let (client_port, local_port) = (headers.src_port_number(), headers.dst_port_number());
    if !select::in_sample(selection, &headers.src, client_port, local_port) {
        return Err(SourceCounter::SkippedSample);
    }
    Ok(selection)
}

/// Counts the copies that the mappings of `slot` ask for, as they would have left.
#[inline(always)]
pub fn count_only(
    skb: Skb,
    headers: &Headers,
    slot: &PortSlot,
    (selection, charge): (&Selection, Charge),
) {
    let segments = skb.wire_packets(headers);
    // Copies lose their VLAN tags, and what follows the IP packet stays.
    let bytes = u64::from(skb.length().saturating_sub(headers.l3));
    let times = u64::from(rate_limit::times(headers)) * u64::from(extra_copy::copies(selection));
    for position in 0..MAX_FAN_OUT {
        if position >= slot.len as usize {
            break;
        }
        let index = u32::from(slot.mapping[position]);
        if maps::takes(index, headers) && charge.admits(index) {
            maps::count_dry_run(index, times, times * segments, times * bytes);
        }
    }
}
