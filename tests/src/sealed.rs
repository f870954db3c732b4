//! What a copy looks like on the wire, put down from the seal's description, without the mirror's code.

use std::net::SocketAddr;

use crate::craft::{ACK, Body, FIN, PSH, Packet, RST, SYN};

/// The sealed copy of `packet` for `target`: of a segment without urgent data, or of a datagram with
/// memcached's frame header. It has no VLAN tags.
pub fn copy_of(packet: &Packet, target: SocketAddr, magic: u32) -> Packet {
    let mut copy = packet.clone();
    copy.to = target;
    copy.tags.clear();
    let (high, low) = (bits(magic >> 16), bits(magic));
    match &mut copy.body {
        Body::Tcp(segment) => {
            let carried = |flag: u8, bit: u16| if segment.flags & flag == 0 { 0 } else { bit };
            segment.urgent = (high << 4) | carried(SYN, 1) | carried(RST, 2) | carried(ACK, 4);
            segment.window = low;
            segment.flags = RST | segment.flags & (FIN | PSH);
            segment.seq = segment.seq.wrapping_add(1 << 31);
        }
        Body::Udp(datagram) => {
            let length = u16::try_from(8 + datagram.payload.len()).expect("a datagram");
            datagram.length = Some(length + (0x2000 | high & 0x1fff));
            datagram.payload[6..8].copy_from_slice(&low.to_be_bytes());
        }
        Body::Other(protocol, _) => panic!("protocol {protocol} is not copied"),
    }
    copy
}

/// The lower half of a number.
fn bits(number: u32) -> u16 {
    let [.., a, b] = number.to_be_bytes();
    u16::from_be_bytes([a, b])
}
