//! Whose an exchange is: a direct client's, or the mirror's, of which nothing may leave.

use mirror_common::{
    abi::{FlowKey, State},
    packet::{
        Packet,
        parse::{Headers, TCP},
    },
};

use crate::maps;

/// Whether the packet at `headers`, of the exchange `key`, is the mirror's.
#[inline(always)]
pub fn is_mirrored<P: Packet>(packet: &P, headers: &Headers, key: FlowKey) -> bool {
    if headers.protocol != TCP {
        return is_mirrored_udp(packet, headers, key);
    }
    match maps::flow(&key) {
        Some(flow) => flow.copy.state != State::DIRECT,
        None => maps::finished(&key).is_some(),
    }
}

/// The same for a datagram: it is, unless a direct client sent the request that it is or replies to. One that
/// is too short to say which might be.
#[inline(always)]
pub fn is_mirrored_udp<P: Packet>(packet: &P, headers: &Headers, mut key: FlowKey) -> bool {
    let request_at = headers.l4 + 8;
    if request_at + 2 > headers.end {
        return true;
    }
    let Some(request) = packet.bytes(request_at) else { return true };
    key.request = u16::from_ne_bytes(request);
    !maps::is_direct_request(&key)
}
