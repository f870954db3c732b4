//! Packets made by hand, byte by byte. What `bytes` gives is sound, with every length and checksum
//! right; who wants a lie writes it over.

use std::net::{IpAddr, SocketAddr};

/// FIN flag of TCP.
pub const FIN: u8 = 0x01;
/// SYN flag of TCP.
pub const SYN: u8 = 0x02;
/// RST flag of TCP.
pub const RST: u8 = 0x04;
/// PSH flag of TCP.
pub const PSH: u8 = 0x08;
/// ACK flag of TCP.
pub const ACK: u8 = 0x10;
/// URG flag of TCP.
pub const URG: u8 = 0x20;

/// Protocol of an 802.1Q tag.
pub const DOT1Q: u16 = 0x8100;
/// Protocol of an 802.1ad tag.
pub const DOT1AD: u16 = 0x88a8;

/// IPv6 extension headers, by number (RFC 8200, 4).
pub const HOP_BY_HOP: u8 = 0;
/// Routing.
pub const ROUTING: u8 = 43;
/// Fragment.
pub const FRAGMENT: u8 = 44;
/// Destination options.
pub const DESTINATION: u8 = 60;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// Where every crafted packet comes from and goes to, on the link: nobody.
pub const MACS: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

/// One packet, in words that mean something.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Protocols of VLAN tags, outermost first.
    pub tags: Vec<u16>,
    /// Source address and port.
    pub from: SocketAddr,
    /// Destination address and port, of the same family.
    pub to: SocketAddr,
    /// DSCP and ECN: the second byte of IPv4, the traffic class of IPv6.
    pub class: u8,
    /// IPv4: options, a multiple of four bytes.
    pub options: Vec<u8>,
    /// Number of an IPv4 packet.
    pub id: u16,
    /// IPv4: flags and fragment offset.
    pub fragment: u16,
    /// IPv6: extension headers, eight bytes each.
    pub extensions: Vec<u8>,
    /// What IP carries.
    pub body: Body,
    /// What Ethernet carries behind the IP packet.
    pub padding: Vec<u8>,
}

/// What IP carries.
#[derive(Clone, Debug)]
pub enum Body {
    /// A TCP segment.
    Tcp(Segment),
    /// A UDP datagram.
    Udp(Datagram),
    /// Anything else: protocol number and bytes.
    Other(u8, Vec<u8>),
}

/// A TCP segment.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Flags.
    pub flags: u8,
    /// Window.
    pub window: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// Options, a multiple of four bytes.
    pub options: Vec<u8>,
    /// Payload.
    pub payload: Vec<u8>,
}

/// A UDP datagram.
#[derive(Clone, Debug, Default)]
pub struct Datagram {
    /// Payload.
    pub payload: Vec<u8>,
    /// The length field, where it is not the datagram's length.
    pub length: Option<u16>,
    /// No checksum: the field is zero.
    pub unsummed: bool,
}

impl Packet {
    /// A packet without tags, options and extension headers.
    pub fn new(from: SocketAddr, to: SocketAddr, body: Body) -> Self {
        assert_eq!(from.is_ipv4(), to.is_ipv4(), "one family");
        let (options, extensions) = (Vec::new(), Vec::new());
        let (tags, padding) = (Vec::new(), Vec::new());
        // Don't fragment, as TCP has it.
        let (id, fragment) = (0x1234, 0x4000);
        Self { tags, from, to, class: 0, options, id, fragment, extensions, body, padding }
    }

    /// One with a segment.
    pub fn tcp(from: SocketAddr, to: SocketAddr, segment: Segment) -> Self {
        Self::new(from, to, Body::Tcp(segment))
    }

    /// One with a datagram.
    pub fn udp(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Self {
        let datagram = Datagram { payload: payload.to_vec(), ..Datagram::default() };
        Self::new(from, to, Body::Udp(datagram))
    }

    /// Offset of the IP header.
    pub fn l3(&self) -> usize {
        14 + 4 * self.tags.len()
    }

    /// Offset of what IP carries.
    pub fn l4(&self) -> usize {
        self.l3()
            + if self.to.is_ipv4() {
                20 + self.options.len()
            } else {
                40 + 8 * self.extensions.len()
            }
    }

    /// The segment. Panics if there is none.
    pub fn segment(&mut self) -> &mut Segment {
        match &mut self.body {
            Body::Tcp(segment) => segment,
            body => panic!("no segment: {body:?}"),
        }
    }

    /// The datagram. Panics if there is none.
    pub fn datagram(&mut self) -> &mut Datagram {
        match &mut self.body {
            Body::Udp(datagram) => datagram,
            body => panic!("no datagram: {body:?}"),
        }
    }

    /// Length of the IP packet.
    pub fn ip_length(&self) -> usize {
        self.bytes().len() - self.padding.len() - self.l3()
    }

    /// The packet from its Ethernet header on.
    pub fn bytes(&self) -> Vec<u8> {
        let body = self.body.bytes(self.from.ip(), self.to.ip(), self.from.port(), self.to.port());
        let protocol = self.body.protocol();
        let mut frame = MACS.to_vec();
        for tag in &self.tags {
            frame.extend(tag.to_be_bytes());
            frame.extend([0, 5]);
        }
        match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                frame.extend([8, 0]);
                let header = 20 + self.options.len();
                let mut ip = vec![0x40 | byte(header / 4), self.class];
                ip.extend(short(header + body.len()).to_be_bytes());
                ip.extend(self.id.to_be_bytes());
                ip.extend(self.fragment.to_be_bytes());
                ip.extend([61, protocol, 0, 0]);
                ip.extend(from.octets());
                ip.extend(to.octets());
                ip.extend(&self.options);
                let sum = checksum(&[&ip]);
                ip[10..12].copy_from_slice(&sum.to_be_bytes());
                frame.extend(ip);
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                frame.extend([0x86, 0xdd, 0x60 | self.class >> 4, self.class << 4, 0, 0]);
                frame.extend(short(8 * self.extensions.len() + body.len()).to_be_bytes());
                let mut next = frame.len();
                frame.extend([protocol, 61]);
                frame.extend(from.octets());
                frame.extend(to.octets());
                for &extension in &self.extensions {
                    frame[next] = extension;
                    next = frame.len();
                    frame.extend(extension_header(extension, protocol));
                }
            }
            _ => unreachable!("one family"),
        }
        frame.extend(body);
        frame.extend(&self.padding);
        frame
    }
}

impl Body {
    fn protocol(&self) -> u8 {
        match self {
            Self::Tcp(_) => TCP,
            Self::Udp(_) => UDP,
            Self::Other(protocol, _) => *protocol,
        }
    }

    fn bytes(&self, from: IpAddr, to: IpAddr, from_port: u16, to_port: u16) -> Vec<u8> {
        let mut bytes = [from_port.to_be_bytes(), to_port.to_be_bytes()].concat();
        match self {
            Self::Tcp(segment) => {
                bytes.extend(segment.seq.to_be_bytes());
                bytes.extend(segment.ack.to_be_bytes());
                let header = 20 + segment.options.len();
                assert!(header <= 60 && header.is_multiple_of(4), "a header of {header} bytes");
                bytes.extend([byte(header / 4) << 4, segment.flags]);
                bytes.extend(segment.window.to_be_bytes());
                bytes.extend([0, 0]);
                bytes.extend(segment.urgent.to_be_bytes());
                bytes.extend(&segment.options);
                bytes.extend(&segment.payload);
                let sum = transport_checksum(from, to, TCP, &bytes);
                bytes[16..18].copy_from_slice(&sum.to_be_bytes());
                bytes
            }
            Self::Udp(datagram) => {
                let length = short(8 + datagram.payload.len());
                bytes.extend(datagram.length.unwrap_or(length).to_be_bytes());
                bytes.extend([0, 0]);
                bytes.extend(&datagram.payload);
                if !datagram.unsummed {
                    let sum = match transport_checksum(from, to, UDP, &bytes) {
                        0 => 0xffff,
                        sum => sum,
                    };
                    bytes[6..8].copy_from_slice(&sum.to_be_bytes());
                }
                bytes
            }
            Self::Other(_, bytes) => bytes.clone(),
        }
    }
}

/// Eight bytes that mean nothing: padding as options; a route without hops; a fragment that is all.
fn extension_header(kind: u8, next: u8) -> [u8; 8] {
    match kind {
        HOP_BY_HOP | DESTINATION => [next, 0, 1, 4, 0, 0, 0, 0],
        _ => [next, 0, 0, 0, 0, 0, 0, 0],
    }
}

/// Over the pseudo-header (RFC 9293, 3.1; RFC 8200, 8.1) and what is behind it.
fn transport_checksum(from: IpAddr, to: IpAddr, protocol: u8, bytes: &[u8]) -> u16 {
    let octets = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let rest = [[0, protocol], short(bytes.len()).to_be_bytes()].concat();
    checksum(&[&octets(from), &octets(to), &rest, bytes])
}

/// The Internet checksum (RFC 1071), the plain way. Only the last part may be of odd length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u32 = 0;
    for pair in parts.iter().flat_map(|part| part.chunks(2)) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !short(sum as usize)
}

fn short(number: usize) -> u16 {
    u16::try_from(number).expect("a length that fits its field")
}

fn byte(number: usize) -> u8 {
    u8::try_from(number).expect("a length that fits its field")
}
