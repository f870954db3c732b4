//! ICMP errors, which quote the packet that they are about.

use super::{
    fragment,
    layers::{Headers, UDP, network},
};
use crate::packet::Packet;

const ICMP: u8 = 1;
const ICMP_V6: u8 = 58;
/// Between the beginning of an ICMP error and the packet that it quotes (RFC 792; RFC 4443, 3).
const ICMP_HEADER: u32 = 8;
/// UDP's header and memcached's frame header: no copy of a datagram is shorter.
const SHORTEST_DATAGRAM: u32 = 16;

/// The headers of what the ICMP error `packet` is about. `None` where it is no such error, or is about what
/// cannot be a copy: neither TCP nor UDP, no beginning of a packet, or a datagram that is too short.
///
/// `end` is where the quoted packet would end. Not all of it has to be there.
#[inline(always)]
pub fn quoted<P: Packet + ?Sized>(packet: &P) -> Option<Headers> {
    let (ethertype, l3) = network(packet)?;
    let outer = fragment::at(packet, ethertype, l3)?;
    let [kind] = packet.bytes(outer.headers.l4)?;
    let is_error = match outer.headers.protocol {
        // Unreachable, source quench, redirect, time exceeded, parameter problem (RFC 1122, 3.2.2).
        ICMP => matches!(kind, 3 | 4 | 5 | 11 | 12),
        // RFC 4443, 2.1.
        ICMP_V6 => kind < 128,
        _ => false,
    };
    if !is_error || !outer.first {
        return None;
    }
    let headers = fragment::at(packet, ethertype, outer.headers.l4 + ICMP_HEADER)?.headers;
    // Without ports it is not the beginning of TCP or UDP.
    let is_short = headers.protocol == UDP && headers.end < headers.l4 + SHORTEST_DATAGRAM;
    if headers.dst_port == 0 || is_short { None } else { Some(headers) }
}
