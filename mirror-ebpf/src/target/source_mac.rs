//! Which sealed copies are welcome: those for a port that is served, from anybody, or from the MAC
//! addresses that `drop --from` names.

use mirror_common::{
    abi::{TargetCounter, served},
    packet::Packet,
};
use mirror_ebpf::{packet::skb::Skb, runtime::settings};

use crate::maps;

/// Why a sealed copy is refused, if it is; `service` is what is done with its port.
#[inline(always)]
pub fn refusal(skb: Skb, service: u32) -> Option<TargetCounter> {
    const SOURCE_MAC: u32 = 6;
    if service != served::YES {
        return Some(TargetCounter::DiscardedPort);
    }
    if settings::macs_limited() != 0 && !skb.bytes(SOURCE_MAC).is_some_and(maps::is_allowed_mac) {
        return Some(TargetCounter::DiscardedSourceMac);
    }
    None
}
