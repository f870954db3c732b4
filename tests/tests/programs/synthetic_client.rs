//! What the mirror makes of a copy, or of a reply, for the new host's TCP.

use mirror_tests::craft::{ACK, FIN, PSH, Packet, RST, SYN};

/// MSS 1460; a window scale of 14.
const SYN_OPTIONS: [u8; 8] = [2, 4, 5, 0xb4, 1, 3, 3, 14];

/// The synthetic client's SYN instead of the client's: its options where the client's were, as far as they fit.
pub(crate) fn syn(client: &Packet) -> Packet {
    let mut packet = client.clone();
    let segment = packet.segment();
    (segment.flags, segment.ack, segment.window, segment.urgent) = (SYN, 0, u16::MAX, 0);
    let length = segment.options.len();
    segment.options.fill(1);
    let fits = length.min(SYN_OPTIONS.len());
    segment.options[..fits].copy_from_slice(&SYN_OPTIONS[..fits]);
    packet
}

/// The client's segment, which acknowledges `ack`. A reset becomes a FIN, so that memcached reads what came
/// before.
pub(crate) fn delivered(client: &Packet, ack: u32) -> Packet {
    let mut packet = client.clone();
    let segment = packet.segment();
    let fin = if segment.flags & RST == 0 { 0 } else { FIN };
    segment.flags = ACK | segment.flags & (PSH | FIN) | fin;
    (segment.ack, segment.window, segment.urgent) = (ack, u16::MAX, 0);
    segment.options.fill(1);
    packet
}

/// A SYN before the client's segment.
pub(crate) fn syn_before(client: &Packet) -> Packet {
    let mut packet = client.clone();
    let segment = packet.segment();
    segment.seq = segment.seq.wrapping_sub(1);
    segment.options = SYN_OPTIONS.to_vec();
    segment.payload.clear();
    packet.padding.clear();
    syn(&packet)
}

/// A reset at `seq` in place of the client's segment.
pub(crate) fn reset(client: &Packet, seq: u32) -> Packet {
    let mut packet = client.clone();
    let segment = packet.segment();
    (segment.flags, segment.seq, segment.ack) = (RST, seq, 0);
    (segment.window, segment.urgent) = (0, 0);
    segment.options.clear();
    segment.payload.clear();
    packet.padding.clear();
    packet
}

/// The frame that the client would have answered to the server's segment.
pub(crate) fn acknowledgement(server: &Packet, ack: u32) -> Vec<u8> {
    answer(server, ACK, ack)
}

/// The frame that ends the socket that sent the segment.
pub(crate) fn reset_back(server: &Packet) -> Vec<u8> {
    answer(server, RST, 0)
}

fn answer(server: &Packet, flags: u8, ack: u32) -> Vec<u8> {
    let mut packet = server.clone();
    (packet.from, packet.to) = (server.to, server.from);
    let segment = packet.segment();
    (segment.seq, segment.ack, segment.flags) = (segment.ack, ack, flags);
    (segment.window, segment.urgent) = (u16::MAX, 0);
    segment.options.clear();
    segment.payload.clear();
    packet.padding.clear();
    let mut frame = packet.bytes();
    // To the server's link-layer address, from the client's.
    frame[..12].rotate_left(6);
    frame
}
