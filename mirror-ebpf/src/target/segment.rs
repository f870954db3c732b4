//! Makes the synthetic client's segments, in place: of copies, and of memcached's replies.

use mirror_common::{
    abi::{
        Address,
        mark::{self, Stage},
    },
    packet::{
        Packet,
        checksum::{self, difference},
        parse::{self, Headers},
        tcp::{self, Header, option},
    },
};
use mirror_ebpf::packet::skb::{HelperError, Skb};

/// The synthetic client's window is as large as the field allows: it takes everything at once.
const WINDOW: u16 = u16::MAX;
/// Options of the synthetic client's SYN: MSS 1460, and the largest window scale. By the latter, and by those that are
/// not there, the agent knows its connections (`net/sock_diag/end.rs`).
const SYN_OPTIONS: [u32; 2] = [
    u32::from_ne_bytes([option::MSS, 4, 0x05, 0xb4]),
    u32::from_ne_bytes([option::NOP, option::WINDOW_SCALE, 3, option::SYNTHETIC_SCALE]),
];
/// Words of options that a header can have.
const MAX_OPTION_WORDS: u32 = (tcp::MAX_HEADER - tcp::HEADER) / 4;
const NOPS: u32 = u32::from_ne_bytes([option::NOP; 4]);

/// Opens a copy: acknowledges what memcached really sent. Without options: the
/// synthetic client has neither timestamps nor SACK. A reset becomes a FIN.
#[inline(never)]
pub fn deliver(skb: Skb, headers: &Headers, plain: &Header, ack: u32) -> Result<(), HelperError> {
    let mut new = *plain;
    let fin = if plain.flags() & tcp::RST != 0 { tcp::FIN } else { 0 };
    let flags = tcp::ACK | plain.flags() & (tcp::PSH | tcp::FIN) | fin;
    new.set_control(plain.length(), flags, WINDOW);
    new.set_ack(ack);
    replace_header(skb, headers, &new)?;
    replace_options(skb, headers, plain)
}

/// Makes a SYN with sequence number `seq` of a copy.
#[inline(never)]
pub fn into_syn(skb: Skb, headers: &Headers, plain: &Header, seq: u32) -> Result<(), HelperError> {
    const LENGTH: u32 = tcp::HEADER + 8;
    let mut new = *plain;
    new.set_control(LENGTH, tcp::SYN, WINDOW);
    new.set_seq(seq);
    new.set_ack(0);
    cut(skb, headers, LENGTH)?;
    write_header(skb, headers, &mut new, checksum::add(0, &SYN_OPTIONS))?;
    skb.store_summed(headers.l4 + tcp::HEADER, &SYN_OPTIONS)
}

/// Makes a reset with sequence number `seq` of a copy.
#[inline(never)]
pub fn into_rst(skb: Skb, headers: &Headers, plain: &Header, seq: u32) -> Result<(), HelperError> {
    let mut new = *plain;
    new.set_control(tcp::HEADER, tcp::RST, 0);
    new.set_seq(seq);
    new.set_ack(0);
    cut(skb, headers, tcp::HEADER)?;
    write_header(skb, headers, &mut new, 0)
}

/// Gives a packet other addresses, of the same family; not yet a checksum that fits.
#[inline(always)]
pub fn readdress(
    skb: Skb,
    headers: &Headers,
    src: &Address,
    dst: &Address,
) -> Result<(), HelperError> {
    if headers.family == 4 {
        skb.store(headers.l3 + 12, &[src[3], dst[3]])?;
        let change = difference(&headers.src, src) + difference(&headers.dst, dst);
        return skb.adjust_l3(headers, change);
    }
    skb.store_summed(headers.l3 + 8, src)?;
    skb.store_summed(headers.l3 + 24, dst)
}

/// Makes the synthetic client's answer to a reply that is about to leave, for whichever interface above this one sent the
/// reply: an acknowledgement, or a reset.
#[inline(never)]
pub fn reflect(
    skb: Skb,
    headers: &Headers,
    flags: u8,
    seq: u32,
    ack: u32,
) -> Result<(), HelperError> {
    let mut new = Header([0; 5]);
    new.set_ports(headers.dst_port, headers.src_port);
    new.set_seq(seq);
    new.set_ack(ack);
    new.set_control(tcp::HEADER, flags, WINDOW);
    cut(skb, headers, tcp::HEADER)?;
    // A bridge and a macvlan parent forward by link-layer address, and the IP layer drops what is for
    // another host's (kernel: `eth_type_trans`).
    let ethernet: [u32; 3] = skb.words(0).ok_or(HelperError)?;
    skb.store(0, &parse::swapped_ethernet(&ethernet))?;
    // Swapped addresses sum to the same, so that no other checksum changes.
    if headers.family == 4 {
        skb.store_summed(headers.l3 + 12, &[headers.dst[3], headers.src[3]])?;
    } else {
        skb.store_summed(headers.l3 + 8, &headers.dst)?;
        skb.store_summed(headers.l3 + 24, &headers.src)?;
    }
    write_header(skb, headers, &mut new, 0)?;
    skb.set_mark(mark::pack(Stage::AckForClient, 0));
    Ok(())
}

/// The window scale that a SYN-ACK agrees to, 0 for none. Linux answers a SYN with [`SYN_OPTIONS`]
/// in that order (kernel: `tcp_options_write`).
#[inline(always)]
pub fn window_scale<P: Packet>(packet: &P, headers: &Headers, header: &Header) -> u32 {
    if header.length() < tcp::HEADER + 8 {
        return 0;
    }
    let [word] = packet.words(headers.l4 + tcp::HEADER + 4).unwrap_or([NOPS]);
    let word = u32::from_be(word);
    if word >> 8 == u32::from_be(SYN_OPTIONS[1]) >> 8 { word & 0xff } else { 0 }
}

/// Overwrites the fixed header and keeps its checksum true for whatever the payload is.
#[inline(always)]
fn replace_header(skb: Skb, headers: &Headers, new: &Header) -> Result<(), HelperError> {
    let old: [u32; 5] = skb.words(headers.l4).ok_or(HelperError)?;
    skb.store(headers.l4, &new.0)?;
    skb.adjust_l4(headers, difference(&old, &new.0))
}

/// Overwrites the options with NOPs.
#[inline(always)]
fn replace_options(skb: Skb, headers: &Headers, header: &Header) -> Result<(), HelperError> {
    let words = (header.length() - tcp::HEADER) / 4;
    let mut change = 0;
    for word in 0..MAX_OPTION_WORDS {
        if word >= words {
            break;
        }
        let at = headers.l4 + tcp::HEADER + word * 4;
        let old: [u32; 1] = skb.words(at).ok_or(HelperError)?;
        skb.store(at, &[NOPS])?;
        change += difference(&old, &[NOPS]);
    }
    if change == 0 { Ok(()) } else { skb.adjust_l4(headers, change) }
}

/// Cuts the packet behind a TCP header of `header` bytes, and makes the IP length fit.
#[inline(always)]
fn cut(skb: Skb, headers: &Headers, header: u32) -> Result<(), HelperError> {
    let end = headers.l4 + header;
    skb.resize(end)?;
    if headers.family == 4 {
        let old: [u32; 1] = skb.words(headers.l3).ok_or(HelperError)?;
        let new = [(u32::from_be(old[0]) & 0xffff_0000 | (end - headers.l3) & 0xffff).to_be()];
        skb.store(headers.l3, &new)?;
        skb.adjust_l3(headers, difference(&old, &new))
    } else {
        let old: [u32; 1] = skb.words(headers.l3 + 4).ok_or(HelperError)?;
        let length = (end - headers.l3 - 40) << 16;
        skb.store_summed(headers.l3 + 4, &[(u32::from_be(old[0]) & 0xffff | length).to_be()])
    }
}

/// Writes a header whose packet has no payload, with the whole checksum; `options` is their sum.
#[inline(always)]
fn write_header(
    skb: Skb,
    headers: &Headers,
    new: &mut Header,
    options: u64,
) -> Result<(), HelperError> {
    new.set_checksum(0);
    let length = new.length() as u16;
    let sum =
        options + checksum::pseudo_header(&headers.src, &headers.dst, headers.protocol, length);
    new.set_checksum(checksum::finish(checksum::add(sum, &new.0)));
    skb.store_summed(headers.l4, &new.0)
}
