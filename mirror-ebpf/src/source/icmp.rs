//! ICMP errors about copies, which routers send to their clients, and which this host may be on the way to.
//!
//! This host itself sends none: copies have no route that it could answer by (`next_hop.rs`).

use mirror_common::packet::{
    Packet,
    parse::{self, TCP},
    seal,
    tcp::Header,
};
use mirror_ebpf::{packet::skb::Skb, runtime::settings};

/// Whether the packet is an ICMP error that quotes a sealed copy. No client sends what is quoted, and none is told.
#[inline(never)]
pub fn is_about_a_copy(skb: Skb) -> bool {
    let Some(headers) = parse::quoted(&skb) else { return false };
    if headers.protocol == TCP {
        let header: Option<[u32; 5]> = skb.words(headers.l4);
        return header.is_some_and(|words| seal::is_sealed_tcp(&Header(words), settings::seal()));
    }
    let datagram: Option<[u32; 4]> = skb.words(headers.l4);
    datagram.is_some_and(|words| {
        let field = (u32::from_be(words[1]) >> 16) as u16;
        let length = headers.end.wrapping_sub(headers.l4) as u16;
        seal::is_sealed_udp(field, length, u32::from_be(words[3]) as u16, settings::seal())
    })
}
