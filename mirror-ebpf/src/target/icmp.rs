//! ICMP errors that this host sends about what it was sent: those about copies would reach real clients.

use mirror_common::{
    abi::{TargetCounter, served},
    parse,
};
use mirror_ebpf::skb::{NEXT, Skb, swallow};

use crate::{maps, owner};

#[inline(never)]
pub fn run(skb: Skb) -> i32 {
    let headers = match parse::quoted(&skb) {
        Some(headers) if maps::service(headers.dst_port_number()) != served::NO => headers,
        _ => {
            maps::count(TargetCounter::EgressOther);
            return NEXT;
        }
    };
    if owner::is_mirrored(skb, &headers, maps::key_of_copy(&headers)) {
        maps::count(TargetCounter::ReplyIcmp);
        return swallow();
    }
    maps::count(TargetCounter::RealOut);
    NEXT
}
