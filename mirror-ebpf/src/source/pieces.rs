//! Sends a copy of one segment in pieces, where the path to the target takes only smaller packets.
//!
//! Each piece is a clone of the finished copy, which comes to the copy device once more. What lies before its payload is
//! taken out, headers included, which are then written anew: so only headers move.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;
use mirror_common::{
    abi::{
        SourceCounter,
        mark::{self, Stage},
    },
    packet::{
        Packet,
        checksum::{difference, finish, pseudo_header},
        parse::{ETHERNET_HEADER, Headers, TCP},
        tcp::Header,
    },
    source::cut::{self, Pieces},
};
use mirror_ebpf::{
    packet::{
        room::FIRST_STEP,
        route::NextHop,
        skb::{HelperError, Skb, drop_silently},
    },
    runtime::settings,
};

use crate::{
    copy::Copy,
    cut::{Cut, HEAD},
    maps,
};

/// The pieces of the finished copy on a path that takes packets of `mtu` bytes; `None` where it cannot be cut.
#[inline(never)]
pub fn prepare(skb: Skb, copy: &Copy, mtu: u32) -> Option<Pieces> {
    let before = copy.length.saturating_sub(copy.payload);
    if copy.headers.protocol != TCP || skb.is_super_packet() {
        return None;
    }
    let pieces = cut::pieces(before, copy.payload, mtu)?;
    let cut = maps::cut()?;
    // Tags are gone from before the IP header.
    let l4 = ETHERNET_HEADER + copy.headers.l4 - copy.headers.l3;
    cut.headers = copy.headers;
    cut.headers.l3 = ETHERNET_HEADER;
    cut.headers.l4 = l4;
    (cut.headers.src, cut.headers.dst) = (copy.src, copy.target);
    cut.pieces = Pieces { count: 0, ..pieces };
    cut.base = ETHERNET_HEADER + if copy.headers.family == 4 { 20 } else { 40 };
    cut.behind = ETHERNET_HEADER + before;
    cut.payload = copy.payload;
    if cut.behind - cut.base > HEAD || l4 >= FIRST_STEP {
        return None;
    }
    if !skb.read_into(cut.base, &mut cut.head) {
        return None;
    }
    let sealed = skb.words(l4).map(Header)?;
    cut::can_be_cut(&sealed).then_some(pieces)
}

/// Sends the copy in the pieces that were prepared to `hop`. Returns how many of them went.
#[inline(never)]
pub fn send(skb: Skb, count: u32, hop: &NextHop) -> u32 {
    let Some(cut) = maps::cut() else { return 0 };
    cut.hop = *hop;
    cut.pieces.count = count;
    cut.sent = 0;
    skb.set_mark(mark::pack(Stage::Piece, 0));
    skb.set_token(mark::TOKEN);
    let mut skb = skb;
    let step: unsafe extern "C" fn(u64, *mut Skb) -> i64 = step;
    // SAFETY: the kernel calls `step` with a number and `skb`, which outlives the call.
    unsafe { bpf_loop(count, step as *mut c_void, (&raw mut skb).cast(), 0) };
    let Some(cut) = maps::cut() else { return 0 };
    cut.pieces.count = 0;
    cut.sent
}

/// Called by the kernel for each piece; returns 1 to stop, since what follows on a gap is of no use.
unsafe extern "C" fn step(number: u64, skb: *mut Skb) -> i64 {
    // SAFETY: valid for as long as the call is (see `send`).
    let skb = unsafe { *skb };
    let Some(cut) = maps::cut() else { return 1 };
    cut.number = number as u32;
    // Its program runs before this returns, on this CPU.
    let _ = skb.clone_to_egress(settings::copy_ifindex());
    match maps::cut() {
        Some(cut) if u64::from(cut.sent) == number + 1 => 0,
        _ => 1,
    }
}

/// A clone becomes the present piece, and is sent.
#[inline(never)]
pub fn run(skb: Skb) -> i32 {
    let Some(cut) = maps::cut().filter(|cut| cut.number < cut.pieces.count) else {
        maps::count(SourceCounter::CopyDeviceOther);
        return drop_silently();
    };
    // Who cuts the copy counts what becomes of it.
    if make(skb, cut).is_err() {
        return drop_silently();
    }
    skb.set_mark(0);
    skb.set_token(0);
    cut.sent += 1;
    cut.hop.send()
}

#[inline(always)]
fn make(skb: Skb, cut: &mut Cut) -> Result<(), HelperError> {
    let offset = cut.number * cut.pieces.size;
    let left = cut.payload.saturating_sub(offset);
    let last = left <= cut.pieces.size;
    let payload = if last { left } else { cut.pieces.size };
    // What is behind it, before the payload moves. Of the last piece, that is padding.
    skb.resize(cut.behind + offset + payload)?;
    if offset == 0 {
        // Nothing has to go, but that the card is to compute a checksum, which may be so and is not to be seen.
        skb.take_out(HEAD)?;
        skb.put_in(HEAD)?;
        skb.store(cut.base, &cut.head)?;
    } else {
        skb.take_out(offset)?;
        skb.store_some(cut.base, &cut.head, cut.behind - cut.base)?;
    }
    let end = cut.behind + payload;
    ip_header(skb, &cut.headers, cut.number, end)?;
    let l4 = cut.headers.l4;
    let sealed = Header(skb.words(l4).ok_or(HelperError)?);
    let mut header = cut::header(&sealed, offset, last);
    skb.store(l4, &header.0)?;
    let length = (end - l4) as u16;
    cut.sum = pseudo_header(&cut.headers.src, &cut.headers.dst, TCP, length);
    skb.sum(l4, end, (&mut cut.sum, &mut cut.chunk));
    let urgent = header.urgent();
    header.set_checksum(finish(cut.sum));
    header.set_urgent(urgent);
    skb.store(l4, &header.0)
}

/// Has the IP header say where the piece ends, and each piece have a number of its own: fragments of packets with the same
/// would be mixed up (RFC 6864).
#[inline(always)]
fn ip_header(skb: Skb, headers: &Headers, number: u32, end: u32) -> Result<(), HelperError> {
    let old: [u32; 2] = skb.words(headers.l3).ok_or(HelperError)?;
    let [first, second] = [u32::from_be(old[0]), u32::from_be(old[1])];
    if headers.family == 4 {
        let length = (end - headers.l3) & 0xffff;
        let first = first & 0xffff_0000 | length;
        let new = [first.to_be(), second.wrapping_add(number << 16).to_be()];
        skb.store(headers.l3, &new)?;
        skb.adjust_l3(headers, difference(&old, &new))
    } else {
        let length = end.saturating_sub(headers.l3 + 40) & 0xffff;
        skb.store(headers.l3, &[old[0], (second & 0xffff | length << 16).to_be()])
    }
}
