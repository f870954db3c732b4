//! What a guard drops: whatever a new host might still send to clients, should it leak.

use crate::{
    abi::{GuardCounter, GuardedServer},
    packet::{
        Packet,
        parse::{self, Headers, ParseError, TCP},
        tcp::{self, Header},
    },
};

/// What becomes of `packet`, which starts with an Ethernet header, given who is guarded against. Everything
/// but [`GuardCounter::Passed`] is a reason to drop it.
///
/// Of packets in IP fragments the first is dropped; the others pass, and can never be put together.
#[inline(always)]
pub fn judge<P: Packet + ?Sized>(
    packet: &P,
    is_guarded: impl Fn(&GuardedServer) -> bool,
) -> GuardCounter {
    let from = |headers: &Headers| {
        is_guarded(&GuardedServer { addr: headers.src, port: u32::from(headers.src_port_number()) })
    };
    match parse::headers(packet) {
        Ok(headers) if from(&headers) => counter(packet, &headers),
        Err(ParseError::Fragment) => match parse::fragment(packet) {
            Some(found) if found.first && from(&found.headers) => GuardCounter::DroppedFragment,
            _ => GuardCounter::Passed,
        },
        // About a copy: whoever sends the error, the client never sent what it is about.
        Err(ParseError::Protocol) => match parse::quoted(packet) {
            Some(quoted)
                if is_guarded(&GuardedServer {
                    addr: quoted.dst,
                    port: u32::from(quoted.dst_port_number()),
                }) =>
            {
                GuardCounter::DroppedIcmp
            }
            _ => GuardCounter::Passed,
        },
        _ => GuardCounter::Passed,
    }
}

#[inline(always)]
fn counter<P: Packet + ?Sized>(packet: &P, headers: &Headers) -> GuardCounter {
    if headers.protocol != TCP {
        return GuardCounter::DroppedUdp;
    }
    match packet.words(headers.l4).map(Header) {
        Some(header) if header.flags() & tcp::RST != 0 => GuardCounter::DroppedReset,
        _ => GuardCounter::DroppedTcp,
    }
}

#[cfg(test)]
mod tests;
