//! ICMP errors that this host sends about what it was sent: those about copies would reach production's clients.

use mirror_common::{
    abi::{TargetCounter, served},
    packet::{Packet, parse},
};
use mirror_ebpf::packet::skb::{NEXT, drop_silently};

use crate::{classify, maps};

#[inline(never)]
pub fn run<P: Packet>(packet: P) -> i32 {
    let headers = match parse::quoted(&packet) {
        Some(headers) if maps::service(headers.dst_port_number()) != served::NO => headers,
        _ => {
            maps::count(TargetCounter::EgressOther);
            return NEXT;
        }
    };
    if classify::is_mirrored(&packet, &headers, maps::key_of_copy(&headers)) {
        maps::count(TargetCounter::ReplyIcmp);
        return drop_silently();
    }
    maps::count(TargetCounter::DirectOut);
    NEXT
}
