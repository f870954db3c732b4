//! Whether a packet that a map takes is copied, and what is counted of it in a dry run.

use mirror_common::{
    abi::{Choice, MAX_FAN_OUT, PortSlot, SourceCounter},
    packet::{Packet, parse::Headers},
    source::select,
};
use mirror_ebpf::{packet::skb::Skb, runtime::clock};

use crate::{
    egress, extra_copy, maps,
    rate_limit::{self, Charge},
};

/// What to do with a packet that can be copied: the choice that took it, or why it is not taken.
#[inline(always)]
pub fn take(bank: u32, headers: &Headers) -> Result<&'static Choice, SourceCounter> {
    // Never without, since the array has its one entry.
    let choice = maps::choice(bank).ok_or(SourceCounter::SkippedOver)?;
    // Where nothing was chosen, neither clock nor table is asked.
    if choice.end != 0 && select::is_over(choice, clock::since_boot()) {
        return Err(SourceCounter::SkippedOver);
    }
    if choice.by_client != 0
        && !select::takes_client(choice, maps::client(bank, headers.family, &headers.src))
    {
        return Err(SourceCounter::SkippedClient);
    }
    let (client_port, local_port) = (headers.src_port_number(), headers.dst_port_number());
    if !select::in_sample(choice, &headers.src, client_port, local_port) {
        return Err(SourceCounter::SkippedSample);
    }
    Ok(choice)
}

/// Counts the copies that the mappings of `slot` ask for, as they would have left.
#[inline(always)]
pub fn count_only(
    skb: Skb,
    headers: &Headers,
    slot: &PortSlot,
    (choice, charge): (&Choice, Charge),
) {
    let segments = egress::segments(skb, headers);
    // Copies lose their VLAN tags, and what follows the IP packet stays.
    let bytes = u64::from(skb.length().saturating_sub(headers.l3));
    let times = u64::from(rate_limit::times(headers)) * u64::from(extra_copy::copies(choice));
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
