//! Turns a clone of a client's packet into a sealed copy for one target.

use mirror_common::{
    abi::Mapping,
    checksum::difference,
    packet::Packet,
    parse::{self, ETHERNET_HEADER, Headers, TCP},
    seal, tcp,
};
use mirror_ebpf::{
    settings,
    skb::{Refused, Skb},
};

/// Rewrites destination address and port, seals, fixes the checksums, takes VLAN tags off. The
/// source address, TTL and IP options stay the client's.
#[inline(always)]
pub fn for_target(skb: Skb, mapping: &Mapping) -> Result<(), Refused> {
    let headers = parse::headers(&skb).map_err(|_| Refused)?;
    // Transport first, while the offsets hold: popping a tag moves everything.
    if headers.protocol == TCP {
        seal_tcp(skb, &headers, mapping)?;
    } else {
        seal_udp(skb, &headers, mapping)?;
    }
    destination(skb, &headers, mapping)?;
    if headers.l3 == ETHERNET_HEADER && !skb.has_vlan_tag() {
        return Ok(());
    }
    skb.pop_vlan()?;
    skb.pop_vlan()
}

#[inline(always)]
fn seal_tcp(skb: Skb, headers: &Headers, mapping: &Mapping) -> Result<(), Refused> {
    let old = tcp::Header(skb.words(headers.l4).ok_or(Refused)?);
    let mut new = seal::seal_tcp(&old, settings::seal()).ok_or(Refused)?;
    new.set_dst_port(mapping.target_port);
    skb.store(headers.l4, &new.0)?;
    skb.adjust_l4(headers, difference(&old.0, &new.0))
}

#[inline(always)]
fn seal_udp(skb: Skb, headers: &Headers, mapping: &Mapping) -> Result<(), Refused> {
    let old: [u32; 4] = skb.words(headers.l4).ok_or(Refused)?;
    let second = u32::from_be(old[1]);
    let length = seal::seal_udp_length((second >> 16) as u16, settings::seal());
    let new = [
        (u32::from_be(old[0]) & 0xffff_0000 | u32::from(u16::from_be(mapping.target_port))).to_be(),
        (u32::from(length) << 16 | second & 0xffff).to_be(),
        old[2],
        (u32::from_be(old[3]) & 0xffff_0000 | u32::from(seal::udp_reserved(settings::seal())))
            .to_be(),
    ];
    skb.store(headers.l4, &new)?;
    skb.adjust_l4(headers, difference(&old, &new))
}

#[inline(always)]
fn destination(skb: Skb, headers: &Headers, mapping: &Mapping) -> Result<(), Refused> {
    let (old, new) = (&headers.dst, &mapping.target_addr);
    // The words before an IPv4 address are the same on both sides and cancel out.
    let change = difference(old, new);
    if headers.family == 4 {
        skb.store(headers.l3 + 16, &[new[3]])?;
        skb.adjust_l3(headers, change)?;
    } else {
        skb.store(headers.l3 + 24, new)?;
    }
    skb.adjust_pseudo_header(headers, change)
}
