//! UDP to a served port: sealed datagrams are opened, direct clients' are remembered.

use mirror_common::{
    abi::TargetCounter,
    packet::{Packet, checksum::difference, parse::Headers, seal},
};
use mirror_ebpf::{
    packet::skb::{DROP, NEXT, Skb},
    runtime::settings,
};

use crate::{admin_command, maps, source_mac, way_back};

#[inline(always)]
pub fn run(skb: Skb, headers: &Headers, service: u32) -> i32 {
    let mut key = maps::key_of_copy(headers);
    // UDP header and memcached's frame header (protocol.txt, "UDP protocol").
    let Some(sealed) = skb.words::<4>(headers.l4) else {
        maps::count(TargetCounter::DirectIn);
        return NEXT;
    };
    key.request = ((u32::from_be(sealed[2]) >> 16) as u16).to_be();
    let length = (headers.end - headers.l4) as u16;
    let second = u32::from_be(sealed[1]);
    let last = u32::from_be(sealed[3]);
    if !seal::is_sealed_udp((second >> 16) as u16, length, last as u16, settings::seal()) {
        maps::note_direct_request(&key);
        maps::count(TargetCounter::DirectIn);
        return NEXT;
    }
    maps::count(TargetCounter::Arrived);
    if let Some(reason) = source_mac::refusal(skb, service) {
        maps::count(reason);
        return DROP;
    }
    if admin_command::blocked(skb, headers.l4 + 16, headers.end.saturating_sub(headers.l4 + 16)) {
        maps::count(TargetCounter::DiscardedCommand);
        return DROP;
    }
    if let Err(reason) = way_back::still(skb, headers) {
        maps::count(reason);
        return DROP;
    }
    // A reply passes only where a direct client asked, and now a mirrored one did.
    maps::clear_direct_request(&key);
    let plain = [
        sealed[0],
        (u32::from(length) << 16 | second & 0xffff).to_be(),
        sealed[2],
        (last & 0xffff_0000).to_be(),
    ];
    let opened = skb
        .store(headers.l4, &plain)
        .and_then(|()| skb.adjust_l4(headers, difference(&sealed, &plain)));
    if opened.is_err() {
        maps::count(TargetCounter::DiscardedRewrite);
        return DROP;
    }
    maps::count(TargetCounter::Applied);
    NEXT
}
