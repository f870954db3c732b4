//! Multipath TCP (RFC 8684): a connection's stream is then spread over the streams of several TCP
//! connections, and no single one of these is what the client sends.

use core::hint::black_box;

use crate::packet::{
    Packet,
    tcp::{HEADER, MAX_HEADER, SYN, option},
};

/// Kind of every option of MPTCP (RFC 8684, 8.1).
const MPTCP: u8 = 30;
/// Subtype by which a TCP connection joins others (RFC 8684, 3.2).
const MP_JOIN: u8 = 1;
/// NOP, NOP, and kind and length of timestamps: what most segments have, and nothing else (RFC 7323,
/// appendix A).
const TIMESTAMPS: u32 = u32::from_ne_bytes([option::NOP, option::NOP, 8, 10]);

/// The subtype of the first MPTCP option of the TCP header of `length` bytes at `offset`; `None` where there
/// is none, or options lie about their length before it.
#[inline(always)]
pub fn subtype<P: Packet + ?Sized>(packet: &P, offset: u32, length: u32) -> Option<u8> {
    let options = offset + HEADER;
    let size = length.saturating_sub(HEADER);
    if size == 0 || size == 12 && packet.words(options) == Some([TIMESTAMPS]) {
        return None;
    }
    let mut at = 0;
    for _ in 0..MAX_HEADER - HEADER {
        // The shortest option of MPTCP has three bytes.
        if at + 3 > size {
            return None;
        }
        let [kind, length, third]: [u8; 3] = packet.bytes(options + at)?;
        let next = match kind {
            MPTCP => return Some(third >> 4),
            option::END => return None,
            option::NOP => at + 1,
            _ if length < 2 => return None,
            _ => at + u32::from(length),
        };
        // The mask changes nothing, so the compiler must not see that. Without it the verifier learns from turn
        // to turn how far `at` is at least, and then goes through each way that leads to a turn.
        at = black_box(next) & 0x1ff;
    }
    None
}

/// Whether a source leaves a segment out that has an MPTCP option of `subtype`, `flags`, and `payload` bytes.
///
/// A client's SYN that offers MPTCP (MP_CAPABLE) is copied, since a memcached without it declines, and the
/// options are gone.
#[inline(always)]
pub const fn is_skipped(subtype: Option<u8>, flags: u8, payload: u32) -> bool {
    match subtype {
        None => false,
        Some(MP_JOIN) if flags & SYN != 0 => true,
        Some(_) => payload > 0,
    }
}

/// Whether a segment with an MPTCP option of `subtype` says that the server has agreed to MPTCP.
#[inline(always)]
pub const fn is_agreed(subtype: Option<u8>, flags: u8) -> bool {
    subtype.is_some() && flags & SYN == 0
}

#[cfg(test)]
mod tests;
