//! Sealing, and checksums that are mended instead of computed, against etherparse's sums.

use etherparse::checksum::Sum16BitWords;
use mirror_common::{
    abi::v4_mapped,
    packet::{
        checksum::{self, difference, fold},
        parse::{TCP, UDP},
        seal::{
            Magic, is_sealed_tcp, is_sealed_udp, seal_tcp, seal_udp_length, udp_reserved,
            unseal_tcp,
        },
        tcp::{ACK, FIN, Header, PSH, RST, SYN, URG},
    },
};

use crate::bytes::Bytes;

/// What a packet was, of those that it could be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Met {
    /// A segment that was sealed and opened.
    Tcp,
    /// A segment with urgent data, which is not sealed.
    Urgent,
    /// A datagram with a checksum.
    Udp,
    /// A datagram without.
    UdpUnsummed,
}

/// A packet's addresses and payload.
struct Packet<'a> {
    src: [u32; 4],
    dst: [u32; 4],
    new_dst: [u32; 4],
    new_port: u16,
    magic: Magic,
    payload: &'a [u8],
}

/// Checks that a copy which is sealed for another host and opened there is what it was, with the
/// checksum that etherparse computes for it at every step. Returns what the packet was.
pub fn check(input: &[u8]) -> Met {
    let mut bytes = Bytes(input);
    let [kind] = bytes.take();
    let magic = Magic(u32::from_be_bytes(bytes.take()));
    let (src, dst, new_dst) = (bytes.words(), bytes.words(), bytes.words());
    let new_port = u16::from_ne_bytes(bytes.take());
    let header = bytes.words();
    let packet = Packet { src, dst, new_dst, new_port, magic, payload: bytes.0 };
    ipv4(&packet);
    if kind % 2 == 0 { tcp(&packet, Header(header)) } else { udp(&packet, header, kind & 2 != 0) }
}

/// The IPv4 header's own checksum, as the source mends it.
fn ipv4(packet: &Packet<'_>) {
    let header = |dst| [0x4500_0054u32.to_be(), 7, 0x4006_0000u32.to_be(), packet.src[3], dst];
    let (old, new) = (v4_mapped(packet.dst[3]), v4_mapped(packet.new_dst[3]));
    let mended = replace(checksum_of(&[&header(old[3])], &[]), difference(&old, &new));
    assert_eq!(mended, checksum_of(&[&header(new[3])], &[]));
}

fn tcp(packet: &Packet<'_>, mut header: Header) -> Met {
    let sum = |dst: &[u32; 4], header: &Header, payload: &[u8]| {
        let pseudo = pseudo(TCP, payload.len() + 20);
        checksum_of(&[&packet.src, dst, &[pseudo], &blank(header)], payload)
    };
    let whole =
        checksum::add(checksum::pseudo_header(&packet.src, &packet.dst, TCP, 20), &blank(&header));
    assert_eq!(checksum::finish(whole), sum(&packet.dst, &header, &[]), "without a payload");

    let checksum = sum(&packet.dst, &header, packet.payload);
    set_checksum(&mut header, checksum);
    let Some(mut sealed) = seal_tcp(&header, packet.magic) else {
        assert_ne!(header.flags() & URG, 0);
        return Met::Urgent;
    };
    // As the source does it.
    let src_port = (u32::from_be(header.0[0]) >> 16) as u16;
    sealed.set_ports(src_port.to_be(), packet.new_port);
    let mended = replace(checksum_in(&header), difference(&header.0, &sealed.0));
    let mended = replace(mended, difference(&packet.dst, &packet.new_dst));
    assert_eq!(mended, sum(&packet.new_dst, &sealed, packet.payload), "of the sealed copy");
    set_checksum(&mut sealed, mended);
    assert!(is_sealed_tcp(&sealed, packet.magic));
    assert_eq!(sealed.flags() & (SYN | ACK | URG | RST), RST);
    assert_eq!(sealed.seq().abs_diff(header.seq()), 1 << 31);

    // As the target does it.
    let plain = unseal_tcp(&sealed);
    let kept = SYN | ACK | RST | FIN | PSH;
    assert_eq!((plain.seq(), plain.ack()), (header.seq(), header.ack()));
    assert_eq!((plain.flags(), plain.length()), (header.flags() & kept, header.length()));
    let mut opened = plain;
    opened.set_control(plain.length(), ACK | plain.flags() & (PSH | FIN), u16::MAX);
    opened.set_ack(packet.magic.0);
    let mended = replace(mended, difference(&sealed.0, &opened.0));
    assert_eq!(mended, sum(&packet.new_dst, &opened, packet.payload), "of the opened copy");
    Met::Tcp
}

fn udp(packet: &Packet<'_>, header: [u32; 5], summed: bool) -> Met {
    // UDP header and memcached's frame header, and what follows them.
    let payload = &packet.payload[..packet.payload.len().min(9000)];
    let length = 16 + payload.len() as u16;
    let datagram = |first, field: u16, checksum: u16, reserved: u16| {
        let second = u32::from(field) << 16 | u32::from(u16::from_be(checksum));
        let last = u32::from_be(header[3]) & 0xffff_0000 | u32::from(reserved);
        [first, second.to_be(), header[2], last.to_be()]
    };
    let sum = |dst: &[u32; 4], blank: [u32; 4]| {
        let sum = checksum_of(&[&packet.src, dst, &[pseudo(UDP, length.into())], &blank], payload);
        // Zero means none (RFC 768).
        if sum == 0 { !0 } else { sum }
    };
    let [old_port, new_port] = [header[0], {
        let src = u32::from_be(header[0]) & 0xffff_0000;
        (src | u32::from(u16::from_be(packet.new_port))).to_be()
    }];
    let before = if summed { sum(&packet.dst, datagram(old_port, length, 0, 0)) } else { 0 };
    let old = datagram(old_port, length, before, 0);

    // As the source does it.
    let (field, reserved) = (seal_udp_length(length, packet.magic), udp_reserved(packet.magic));
    assert!(is_sealed_udp(field, length, reserved, packet.magic));
    assert!(!is_sealed_udp(length, length, reserved, packet.magic));
    let sealed = datagram(new_port, field, before, reserved);
    let mended = replace_udp(before, difference(&old, &sealed));
    let mended = replace_udp(mended, difference(&packet.dst, &packet.new_dst));
    if !summed {
        assert_eq!(mended, 0, "none stays none");
        return Met::UdpUnsummed;
    }
    let truth = sum(&packet.new_dst, datagram(new_port, field, 0, reserved));
    assert_eq!(mended, truth, "of the sealed copy");

    // As the target does it.
    let sealed = datagram(new_port, field, mended, reserved);
    let plain = datagram(new_port, length, mended, 0);
    let mended = replace_udp(mended, difference(&sealed, &plain));
    let truth = sum(&packet.new_dst, datagram(new_port, length, 0, 0));
    assert_eq!(mended, truth, "of the opened copy");
    Met::Udp
}

/// What the kernel's `csum_replace_by_diff` and `inet_proto_csum_replace_by_diff` do.
fn replace(field: u16, difference: u64) -> u16 {
    !fold(u64::from(!field) + u64::from(fold(difference)))
}

/// The same with `BPF_F_MARK_MANGLED_0`.
fn replace_udp(field: u16, difference: u64) -> u16 {
    match field {
        0 => 0,
        _ => match replace(field, difference) {
            0 => !0,
            field => field,
        },
    }
}

/// Protocol and length in a pseudo-header, as one word.
fn pseudo(protocol: u8, length: usize) -> u32 {
    (u32::from(protocol) << 16 | length as u32 & 0xffff).to_be()
}

/// etherparse's checksum, in memory order.
fn checksum_of(words: &[&[u32]], payload: &[u8]) -> u16 {
    let bytes: Vec<u8> = words.concat().into_iter().flat_map(u32::to_ne_bytes).collect();
    Sum16BitWords::new().add_slice(&bytes).add_slice(payload).ones_complement()
}

/// The words of `header`, with nothing where the checksum is.
fn blank(header: &Header) -> [u32; 5] {
    let mut words = header.0;
    words[4] &= 0x0000_ffffu32.to_be();
    words
}

fn checksum_in(header: &Header) -> u16 {
    ((u32::from_be(header.0[4]) >> 16) as u16).to_be()
}

fn set_checksum(header: &mut Header, checksum: u16) {
    let urgent = header.urgent();
    header.set_checksum(checksum);
    header.set_urgent(urgent);
}
