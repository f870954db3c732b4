//! Packets in IP fragments: the first decides for all.

use mirror_common::{
    abi::{TargetCounter, served},
    packet::{
        Packet,
        parse::{self, UDP},
        seal,
    },
};
use mirror_ebpf::{
    packet::skb::{NEXT, Skb, drop_silently},
    runtime::settings,
};

use crate::{classify, maps};

/// A fragment that arrives. It passes; if it begins a direct client's request, the reply has to pass, too.
#[inline(never)]
pub fn arrived(skb: Skb) -> i32 {
    let headers = match parse::fragment(&skb) {
        Some(found) if maps::service(found.headers.dst_port_number()) != served::NO => {
            found.headers
        }
        _ => {
            maps::count(TargetCounter::IngressOther);
            return NEXT;
        }
    };
    maps::count(TargetCounter::DirectIn);
    // memcached's frame header. A copy that was cut on its way stays sealed, and is not answered.
    if headers.protocol == UDP
        && let Some([first, last]) = skb.words(headers.l4 + 8)
        && u32::from_be(last) as u16 != seal::udp_reserved(settings::seal())
    {
        let mut key = maps::key_of_copy(&headers);
        key.request = ((u32::from_be(first) >> 16) as u16).to_be();
        maps::note_direct_request(&key);
    }
    NEXT
}

/// A fragment that leaves. The kernel sends those of a packet in order, and each passes here (kernel:
/// `ip_do_fragment`).
#[inline(never)]
pub fn leaves<P: Packet>(packet: P) -> i32 {
    let Some(fragment) = parse::fragment(&packet) else {
        maps::count(TargetCounter::EgressOther);
        return NEXT;
    };
    let (headers, whole) = (&fragment.headers, fragment.key());
    let is_reply = fragment.first && maps::service(headers.src_port_number()) != served::NO;
    let swallowed = if is_reply {
        classify::is_mirrored(&packet, headers, maps::key_of_reply(headers))
    } else {
        !fragment.first && maps::is_dropped(&whole)
    };
    if fragment.to_be_remembered(swallowed) {
        maps::note_dropped(&whole);
    } else {
        maps::clear_dropped(&whole);
    }
    if swallowed {
        maps::count(TargetCounter::ReplyFragment);
        return drop_silently();
    }
    maps::count(if is_reply { TargetCounter::DirectOut } else { TargetCounter::EgressOther });
    NEXT
}
