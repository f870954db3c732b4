//! Who may feed copies: anybody, or the MAC addresses that `drop --from` names.

use mirror_common::packet::Packet;
use mirror_ebpf::{settings, skb::Skb};

use crate::maps;

/// Whether a sealed copy may come from where this one came from.
#[inline(always)]
pub fn allow(skb: Skb) -> bool {
    const SOURCE_MAC: u32 = 6;
    settings::feeders_limited() == 0 || skb.bytes(SOURCE_MAC).is_some_and(maps::is_feeder)
}
