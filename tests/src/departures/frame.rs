//! What one frame is: the sender's own, or a copy, judged by the seal's description and without the mirror's code.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mirror_common::packet::seal::Magic;

use crate::{
    Family, Host,
    craft::{FIN, FRAGMENT, PSH, RST},
    second,
};

const ETHERNET: usize = 14;
const ARP: u16 = 0x0806;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP6: u8 = 58;

/// A frame from its Ethernet header on.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// How a card cuts it.
    pub super_packet: Option<SuperPacket>,
}

/// A packet that a card cuts into many.
#[derive(Clone, Copy, Debug)]
pub struct SuperPacket {
    /// Into TCP segments; all else is cut into datagrams.
    pub tcp: bool,
    /// Bytes of payload in each.
    pub size: usize,
}

/// What a frame is that may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// The sender's own.
    Own,
    /// A finished copy.
    Copy {
        /// Where it goes.
        target: SocketAddr,
        /// How many segments it is on a wire.
        segments: u64,
    },
}

/// Who sends, and what it may send.
#[derive(Clone, Debug)]
pub struct Sender {
    /// Its link-layer address.
    pub mac: [u8; 6],
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Where copies go.
    pub targets: Vec<SocketAddr>,
    /// The number that marks copies.
    pub magic: u32,
    /// The longest IP packet.
    pub mtu: usize,
    /// The longest one that is a copy, where the path to the targets takes less.
    pub path_mtu: usize,
}

/// What there is to see of an IP packet.
struct Packet<'a> {
    from: IpAddr,
    to: IpAddr,
    protocol: u8,
    fragment: bool,
    /// Length as the IP header has it.
    length: usize,
    /// Length of all before `body`, from the IP header on.
    header: usize,
    body: &'a [u8],
}

impl Sender {
    /// Who sends by this interface of a host, to these targets.
    pub(super) fn at(host: &Host, interface: &str, targets: Vec<SocketAddr>) -> Self {
        let addresses =
            Family::BOTH.map(|family| [host.address(family), second::address_by(host, family)]);
        Self {
            mac: host.mac_bytes_of(interface),
            addresses: addresses.into_iter().flatten().collect(),
            targets,
            magic: Magic::DEFAULT.0,
            mtu: host.mtu_of(interface),
            path_mtu: usize::MAX,
        }
    }

    /// What a frame is, or what is wrong with it.
    pub fn judge(&self, frame: &Frame<'_>) -> Result<Departure, String> {
        let bytes = frame.bytes;
        let wrong = |why: &str| Err(format!("{why}: {}", describe(frame)));
        if bytes.len() < ETHERNET {
            return wrong("no frame");
        }
        if bytes[6..12] != self.mac {
            return wrong("not from the sender's link-layer address");
        }
        let ether_type = short(bytes, 12);
        if ether_type == ARP {
            return Ok(Departure::Own);
        }
        let Some(packet) = parse(ether_type, &bytes[ETHERNET..]) else {
            return wrong("no IP packet");
        };
        if packet.is_icmp_error() {
            return wrong("an ICMP error");
        }
        if self.on_the_wire(&packet, frame) > self.mtu {
            return wrong("longer than the MTU");
        }
        if self.is_own(packet.from) {
            return Ok(Departure::Own);
        }
        match self.judge_copy(&packet, frame.super_packet) {
            Ok(_) if self.on_the_wire(&packet, frame) > self.path_mtu => {
                wrong("a copy that is longer than the path takes")
            }
            Ok(copy) => Ok(copy),
            Err(why) => wrong(why),
        }
    }

    fn judge_copy(
        &self,
        packet: &Packet<'_>,
        cut: Option<SuperPacket>,
    ) -> Result<Departure, &'static str> {
        if packet.fragment {
            return Err("a fragment of a copy");
        }
        if !matches!(packet.protocol, TCP | UDP) || packet.body.len() < 8 {
            return Err("neither the sender's nor a copy");
        }
        let target = SocketAddr::new(packet.to, short(packet.body, 2));
        if !self.targets.contains(&target) {
            return Err("neither the sender's nor for a target");
        }
        let sealed = if packet.protocol == TCP {
            self.is_sealed_segment(packet.body) && cut.is_none_or(|cut| cut.tcp)
        } else {
            // Whoever cuts a datagram writes its length anew.
            self.is_sealed_datagram(packet) && cut.is_none()
        };
        if !sealed {
            return Err("a copy without a seal");
        }
        let payload = packet.body.len().saturating_sub(packet.transport_header());
        let segments = cut.map_or(1, |cut| payload.div_ceil(cut.size.max(1)).max(1) as u64);
        Ok(Departure::Copy { target, segments })
    }

    fn is_own(&self, address: IpAddr) -> bool {
        let unnumbered = match address {
            IpAddr::V4(_) => false,
            IpAddr::V6(v6) => v6.is_unspecified() || v6.is_unicast_link_local(),
        };
        unnumbered || self.addresses.contains(&address)
    }

    /// RST, FIN and PSH alone; the magic in the window and the urgent pointer.
    fn is_sealed_segment(&self, segment: &[u8]) -> bool {
        segment.len() >= 20
            && segment[13] & !(FIN | PSH) == RST
            && u32::from(short(segment, 14)) == self.magic & 0xffff
            && u32::from(short(segment, 18) & 0xfff0) == self.magic >> 12 & 0xfff0
    }

    /// A length that is too large by a number of the magic's; the magic in memcached's frame header.
    fn is_sealed_datagram(&self, packet: &Packet<'_>) -> bool {
        let excess = 0x2000 | self.magic >> 16 & 0x1fff;
        let length = packet.length - packet.header;
        packet.body.len() >= 16
            && u32::from(short(packet.body, 4)) == length as u32 + excess
            && u32::from(short(packet.body, 14)) == self.magic & 0xffff
    }

    /// Length of the longest IP packet that is on the wire of this frame.
    fn on_the_wire(&self, packet: &Packet<'_>, frame: &Frame<'_>) -> usize {
        match frame.super_packet {
            None => packet.length.max(packet.header + packet.body.len()),
            Some(cut) => packet.header + packet.transport_header() + cut.size,
        }
    }
}

impl Packet<'_> {
    fn transport_header(&self) -> usize {
        match self.protocol {
            TCP if self.body.len() > 12 => usize::from(self.body[12] >> 4) * 4,
            _ => 8,
        }
    }

    /// RFC 792; RFC 4443, 2.1.
    fn is_icmp_error(&self) -> bool {
        match (self.protocol, self.body.first()) {
            (ICMP, Some(&kind)) => kind != 0 && kind != 8,
            (ICMP6, Some(&kind)) => kind < 128,
            _ => false,
        }
    }
}

fn parse(ether_type: u16, bytes: &[u8]) -> Option<Packet<'_>> {
    match ether_type {
        IPV4 if bytes.len() >= 20 => {
            let header = usize::from(bytes[0] & 0xf) * 4;
            let length = usize::from(short(bytes, 2));
            Some(Packet {
                from: v4(&bytes[12..16]),
                to: v4(&bytes[16..20]),
                protocol: bytes[9],
                fragment: short(bytes, 6) & 0x3fff != 0,
                // A super-packet of more than 64 KiB has no length.
                length: if length == 0 { bytes.len() } else { length },
                header,
                body: bytes.get(header..length.max(header).min(bytes.len()))?,
            })
        }
        IPV6 if bytes.len() >= 40 => {
            let (mut protocol, mut header) = (bytes[6], 40);
            let length = 40 + usize::from(short(bytes, 4));
            let mut fragment = false;
            // Hop-by-hop options, routing, fragment and destination options (RFC 8200, 4).
            while matches!(protocol, 0 | 43 | FRAGMENT | 60) {
                fragment |= protocol == FRAGMENT;
                let size = if protocol == FRAGMENT { 0 } else { *bytes.get(header + 1)? };
                protocol = *bytes.get(header)?;
                header += 8 + usize::from(size) * 8;
            }
            let end = if length == 40 { bytes.len() } else { length.min(bytes.len()) };
            let length = if length == 40 { bytes.len() } else { length };
            Some(Packet {
                from: v6(&bytes[8..24]),
                to: v6(&bytes[24..40]),
                protocol,
                fragment,
                length,
                header,
                body: bytes.get(header..end)?,
            })
        }
        _ => None,
    }
}

/// In the words of who looks for a fault.
fn describe(frame: &Frame<'_>) -> String {
    let bytes = frame.bytes;
    if bytes.len() < ETHERNET {
        return format!("{bytes:02x?}");
    }
    let mac = |at: usize| {
        bytes[at..at + 6].iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
    };
    let link = format!("{} > {}, {} bytes", mac(6), mac(0), bytes.len());
    let cut = frame.super_packet.map_or(String::new(), |cut| format!(", cut at {}", cut.size));
    let Some(packet) = parse(short(bytes, 12), &bytes[ETHERNET..]) else {
        return format!("{link}{cut}, type {:04x}", short(bytes, 12));
    };
    let Packet { from, to, protocol, body, .. } = packet;
    let ports = |at: usize| body.get(at..at + 2).map_or(0, |port| short(port, 0));
    let flags = if protocol == TCP { body.get(13).copied().unwrap_or(0) } else { 0 };
    format!(
        "{link}{cut}, {}.{} > {}.{}, protocol {protocol}, flags {flags:02x}, head {:02x?}",
        from,
        ports(0),
        to,
        ports(2),
        &body[..body.len().min(28)]
    )
}

fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn v4(bytes: &[u8]) -> IpAddr {
    let octets: [u8; 4] = bytes.try_into().expect("four bytes");
    IpAddr::V4(Ipv4Addr::from(octets))
}

fn v6(bytes: &[u8]) -> IpAddr {
    let octets: [u8; 16] = bytes.try_into().expect("sixteen bytes");
    IpAddr::V6(Ipv6Addr::from(octets))
}
