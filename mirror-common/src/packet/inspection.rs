//! Requests of the agent's own `keys` and `compare`: a source does not copy them, and a target does not count them as
//! a client's.
//!
//! Their packets tell by two things together, each of which nearly no client has: a DSCP for local use, and a source
//! port beyond those that Linux hands out by default. Where a network takes the DSCP off, they are a client's
//! like any other, which harms nobody: they only read.

use crate::packet::{
    Packet,
    parse::{Headers, TCP},
};

/// In each IP header of such a packet; of pool 2, which is for local use (RFC 2474, 6).
pub const DSCP: u8 = 0b10_1011;
/// The first source port, in host order; `ip_local_port_range` ends at 60999 by default.
pub const FIRST_PORT: u16 = 0xf000;
/// How many ports follow each other. A power of two.
pub const PORTS: u16 = 64;

/// Whether a client's end has a port of an inspection; `port` in network byte order.
#[inline(always)]
pub const fn is_port(port: u16) -> bool {
    u16::from_be(port) & !(PORTS - 1) == FIRST_PORT
}

/// Whether a packet to memcached is a segment of an inspection.
#[inline(always)]
pub fn is_request<P: Packet + ?Sized>(packet: &P, headers: &Headers) -> bool {
    headers.protocol == TCP
        && is_port(headers.src_port)
        && packet
            .words(headers.l3)
            .is_some_and(|[first]: [u32; 1]| dscp(first, headers.family) == DSCP)
}

/// Of the first word of an IP header (RFC 791, 3.1; RFC 8200, 3).
#[inline(always)]
const fn dscp(first: u32, family: u8) -> u8 {
    let shift = if family == 4 { 18 } else { 22 };
    (u32::from_be(first) >> shift) as u8 & 0x3f
}

#[cfg(test)]
mod tests;
