//! Turns a clone of a client's packet into a sealed copy for one target.

use mirror_common::{
    abi::{Address, Mapping, Selection},
    packet::{
        Packet,
        checksum::difference,
        parse::{self, ETHERNET_HEADER, Headers, TCP},
        seal, tcp,
    },
};
use mirror_ebpf::{
    packet::{
        route::Question,
        skb::{HelperError, Skb, UDP_HEADER},
    },
    runtime::settings,
};

use crate::extra_copy;

/// What a copy is, once it is one: all that its way depends on.
pub struct Copy<'a> {
    headers: Headers,
    target: &'a Address,
    src: Address,
    ports: (u16, u16),
    first_word: u32,
    /// Bytes from the IP header of the largest packet that it is on the wire.
    pub length: u32,
    /// Bytes behind the transport header.
    pub payload: u32,
}

impl Copy<'_> {
    /// What to ask routing tables.
    #[inline(always)]
    pub fn question(&self) -> Question<'_> {
        Question {
            headers: &self.headers,
            src: &self.src,
            dst: self.target,
            ports: self.ports,
            first_word: self.first_word,
            length: self.length,
        }
    }
}

/// Rewrites destination address and port, seals, fixes the checksums, takes VLAN tags off. TTL and IP options
/// stay the client's, and so does its end, but in `further` copies of a connection: the selection that says so,
/// and the copy's number.
#[inline(always)]
pub fn for_target<'a>(
    skb: Skb,
    mapping: &'a Mapping,
    further: Option<(&Selection, u32)>,
) -> Result<Copy<'a>, HelperError> {
    let headers = parse::headers(&skb).map_err(|_| HelperError)?;
    let (src, src_port) = match further {
        None => (headers.src, headers.src_port),
        Some((selection, copy)) => extra_copy::endpoint(selection, &headers, copy),
    };
    let ports = (src_port, mapping.target_port);
    let [first_word] = skb.words(headers.l3).ok_or(HelperError)?;
    // Transport first, while the offsets hold: popping a tag moves everything.
    let behind = headers.l4
        + if headers.protocol == TCP {
            seal_tcp(skb, &headers, ports)?
        } else {
            seal_udp(skb, &headers, ports)?;
            UDP_HEADER
        };
    let [from, to] = if headers.family == 4 { [12, 16] } else { [8, 24] };
    address(skb, &headers, to, (&headers.dst, &mapping.target_addr))?;
    if further.is_some() {
        address(skb, &headers, from, (&headers.src, &src))?;
    }
    let payload = headers.end.saturating_sub(behind);
    let size = skb.segment_size();
    let largest = if size != 0 && size < payload { size } else { payload };
    let length = behind - headers.l3 + largest;
    let target = &mapping.target_addr;
    let copy = Copy { headers, target, src, ports, first_word, length, payload };
    if headers.l3 != ETHERNET_HEADER || skb.has_vlan_tag() {
        skb.pop_vlan()?;
        skb.pop_vlan()?;
    }
    Ok(copy)
}

/// Returns how long the TCP header is.
#[inline(always)]
fn seal_tcp(skb: Skb, headers: &Headers, (src, dst): (u16, u16)) -> Result<u32, HelperError> {
    let old = tcp::Header(skb.words(headers.l4).ok_or(HelperError)?);
    let mut new = seal::seal_tcp(&old, settings::seal()).ok_or(HelperError)?;
    new.set_ports(src, dst);
    skb.store(headers.l4, &new.0)?;
    skb.adjust_l4(headers, difference(&old.0, &new.0))?;
    Ok(old.length())
}

#[inline(always)]
fn seal_udp(skb: Skb, headers: &Headers, (src, dst): (u16, u16)) -> Result<(), HelperError> {
    let old: [u32; 4] = skb.words(headers.l4).ok_or(HelperError)?;
    let second = u32::from_be(old[1]);
    let length = seal::seal_udp_length((second >> 16) as u16, settings::seal());
    let new = [
        (u32::from(u16::from_be(src)) << 16 | u32::from(u16::from_be(dst))).to_be(),
        (u32::from(length) << 16 | second & 0xffff).to_be(),
        old[2],
        (u32::from_be(old[3]) & 0xffff_0000 | u32::from(seal::udp_reserved(settings::seal())))
            .to_be(),
    ];
    skb.store(headers.l4, &new)?;
    skb.adjust_l4(headers, difference(&old, &new))
}

/// Writes an address of the IP header, at `at` in it.
#[inline(always)]
fn address(
    skb: Skb,
    headers: &Headers,
    at: u32,
    (old, new): (&Address, &Address),
) -> Result<(), HelperError> {
    // The words before an IPv4 address are the same on both sides and cancel out.
    let change = difference(old, new);
    if headers.family == 4 {
        skb.store(headers.l3 + at, &[new[3]])?;
        skb.adjust_l3(headers, change)?;
    } else {
        skb.store(headers.l3 + at, new)?;
    }
    skb.adjust_pseudo_header(headers, change)
}
