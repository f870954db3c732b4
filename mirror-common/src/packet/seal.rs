//! Sealing: a copy carries the address of production's client, so a host that runs no mirror must not answer.
//!
//! TCP: a sealed segment has RST set, which no stack answers (RFC 9293, 3.10.7.1), and its sequence
//! number is moved by half the number space, so that it is outside the window of any socket and not
//! even a challenge ACK (RFC 5961, 3) can follow. SYN, ACK and RST as the client set them are in the
//! urgent pointer, which means nothing without URG, together with half of the magic; the other half
//! replaces the window. FIN and PSH stay where they are: segmentation offload gives them to the last
//! segment only. The acknowledgement number stays too: the target reads it.
//!
//! UDP: the length field is larger than the datagram, which stacks discard without an answer
//! (kernel: `__udp4_lib_rcv`, `short_packet`), by a number that the magic gives. The other half of
//! the magic is in the reserved field of memcached's frame header (protocol.txt, "UDP protocol").

use crate::packet::tcp::{ACK, FIN, Header, PSH, RST, SYN, URG};

/// Bit of the sequence number that sealing turns.
const SEQ_TURN: u32 = 0x8000_0000;
/// Urgent pointer: the client set SYN, RST, ACK.
const CARRIED_SYN: u16 = 1;
const CARRIED_RST: u16 = 2;
const CARRIED_ACK: u16 = 4;
const CARRIED: u16 = 0xf;

/// The number that both hosts know. 28 of its bits are used for TCP: 12 in the urgent pointer, 16 in
/// the window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Magic(pub u32);

impl Magic {
    /// Used where the operator names none.
    pub const DEFAULT: Self = Self(0x06d_19c7b);

    #[inline(always)]
    const fn urgent(self) -> u16 {
        (self.0 >> 12) as u16 & !CARRIED
    }

    #[inline(always)]
    const fn window(self) -> u16 {
        self.0 as u16
    }

    /// How much longer than true a sealed UDP length is: 0x2000 to 0x3fff, so that no sum of it and
    /// an unfragmented length wraps to a plausible value.
    #[inline(always)]
    const fn udp_excess(self) -> u16 {
        0x2000 | (self.0 >> 16) as u16 & 0x1fff
    }
}

/// Seals `header`. `None` when the segment carries urgent data, which cannot be sealed.
///
/// ```
/// use mirror_common::packet::{seal::{Magic, is_sealed_tcp, seal_tcp, unseal_tcp}, tcp::{ACK, Header, PSH}};
///
/// let mut header = Header([0; 5]);
/// header.set_control(20, ACK | PSH, 1024);
/// let sealed = seal_tcp(&header, Magic::DEFAULT).expect("no urgent data");
/// assert!(is_sealed_tcp(&sealed, Magic::DEFAULT) && !is_sealed_tcp(&header, Magic::DEFAULT));
/// assert_eq!(unseal_tcp(&sealed).flags(), ACK | PSH);
/// ```
#[inline(always)]
pub fn seal_tcp(header: &Header, magic: Magic) -> Option<Header> {
    let flags = header.flags();
    if flags & URG != 0 {
        return None;
    }
    let carried = if flags & SYN != 0 { CARRIED_SYN } else { 0 }
        | if flags & RST != 0 { CARRIED_RST } else { 0 }
        | if flags & ACK != 0 { CARRIED_ACK } else { 0 };
    let mut sealed = *header;
    sealed.set_seq(header.seq() ^ SEQ_TURN);
    sealed.set_control(header.length(), RST | flags & (FIN | PSH), magic.window());
    sealed.set_urgent(magic.urgent() | carried);
    Some(sealed)
}

/// Whether `header` is sealed with `magic`.
#[inline(always)]
pub fn is_sealed_tcp(header: &Header, magic: Magic) -> bool {
    header.flags() & !(FIN | PSH) == RST
        && header.urgent() & !CARRIED == magic.urgent()
        && header.window() == magic.window()
}

/// Whether `header` looks sealed, with any magic: a reset with an urgent pointer, which no stack sends. To
/// seal such a one again would turn its sequence number back, into the window, and send it in circles
/// between hosts that mirror each other.
#[inline(always)]
pub fn looks_sealed_tcp(header: &Header) -> bool {
    header.flags() & !(FIN | PSH) == RST && header.urgent() != 0
}

/// Undoes [`seal_tcp`] for a sealed header. The window is the magic still: the synthetic client sets its own.
#[inline(always)]
pub fn unseal_tcp(header: &Header) -> Header {
    let carried = header.urgent();
    let flags = if carried & CARRIED_SYN != 0 { SYN } else { 0 }
        | if carried & CARRIED_RST != 0 { RST } else { 0 }
        | if carried & CARRIED_ACK != 0 { ACK } else { 0 };
    let mut plain = *header;
    plain.set_seq(header.seq() ^ SEQ_TURN);
    plain.set_control(header.length(), flags | header.flags() & (FIN | PSH), header.window());
    plain.set_urgent(0);
    plain
}

/// The UDP length field of a sealed datagram whose true length is `length` bytes.
#[inline(always)]
pub const fn seal_udp_length(length: u16, magic: Magic) -> u16 {
    length.wrapping_add(magic.udp_excess())
}

/// What a sealed datagram has in the reserved field of memcached's frame header.
#[inline(always)]
pub const fn udp_reserved(magic: Magic) -> u16 {
    magic.window()
}

/// Whether the length field `field`, of a datagram whose true length is `length`, and the reserved
/// field say that it is sealed.
#[inline(always)]
pub const fn is_sealed_udp(field: u16, length: u16, reserved: u16, magic: Magic) -> bool {
    field == seal_udp_length(length, magic) && reserved == udp_reserved(magic)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::packet::tcp::URG;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn unseal_undoes_seal(words: [u32; 5], magic: u32) {
            let header = Header(words);
            match seal_tcp(&header, Magic(magic)) {
                None => prop_assert!(header.flags() & URG != 0),
                Some(sealed) => {
                    prop_assert!(is_sealed_tcp(&sealed, Magic(magic)));
                    // All have ACK but the first segment, which has SYN.
                    let usual = header.flags() & (SYN | ACK) != 0;
                    prop_assert!(looks_sealed_tcp(&sealed) || !usual);
                    prop_assert_eq!(sealed.flags() & (SYN | ACK | URG), 0);
                    prop_assert_eq!(sealed.flags() & RST, RST);
                    let plain = unseal_tcp(&sealed);
                    prop_assert_eq!(plain.seq(), header.seq());
                    prop_assert_eq!(plain.ack(), header.ack());
                    let kept = SYN | ACK | RST | FIN | PSH;
                    prop_assert_eq!(plain.flags(), header.flags() & kept);
                    prop_assert_eq!(plain.length(), header.length());
                }
            }
        }

        #[test]
        fn udp_is_told_apart(length in 16u16..9000, reserved: u16, magic: u32) {
            let magic = Magic(magic);
            let field = seal_udp_length(length, magic);
            prop_assert!(field > length);
            prop_assert!(is_sealed_udp(field, length, udp_reserved(magic), magic));
            prop_assert!(!is_sealed_udp(length, length, reserved, magic));
        }
    }

    proptest! {
        /// A plain segment would need RST alone, and the magic where urgent pointer and window are.
        #[test]
        fn ordinary_segments_are_not_sealed(
            words: [u32; 5],
            flags in prop::sample::select(std::vec![
                SYN, SYN | ACK, ACK, ACK | PSH, ACK | FIN, ACK | FIN | PSH, RST | ACK, ACK | URG, 0,
            ]),
            window: u16,
        ) {
            let mut header = Header(words);
            header.set_control(20, flags, window);
            prop_assert!(!is_sealed_tcp(&header, Magic::DEFAULT));
            prop_assert!(!looks_sealed_tcp(&header));
        }

        #[test]
        fn a_reset_without_urgent_pointer_is_not_sealed(mut words: [u32; 5], window: u16) {
            words[4] &= 0xffff_0000u32.to_be();
            let mut header = Header(words);
            header.set_control(20, RST, window);
            prop_assert!(!is_sealed_tcp(&header, Magic::DEFAULT));
            prop_assert!(!looks_sealed_tcp(&header));
        }

        #[test]
        fn another_magic_does_not_open(words: [u32; 5], magic: u32, bit in 0u32..28) {
            let other = Magic(magic ^ 1 << bit);
            if let Some(sealed) = seal_tcp(&Header(words), Magic(magic)) {
                prop_assert!(!is_sealed_tcp(&sealed, other));
            }
        }

        #[test]
        fn a_sealed_segment_is_outside_the_window(words: [u32; 5], magic: u32) {
            if let Some(sealed) = seal_tcp(&Header(words), Magic(magic)) {
                let distance = sealed.seq().wrapping_sub(Header(words).seq());
                prop_assert_eq!(distance, 1 << 31);
            }
        }

        #[test]
        fn another_magic_does_not_open_a_datagram(length in 16u16..9000, magic: u32, bit in 0u32..29) {
            let (magic, other) = (Magic(magic), Magic(magic ^ 1 << bit));
            let field = seal_udp_length(length, magic);
            prop_assert!(!is_sealed_udp(field, length, udp_reserved(magic), other));
        }
    }

    #[test]
    fn a_plain_reset_is_not_sealed() {
        let mut header = Header([0; 5]);
        header.set_control(20, RST, 0);
        assert!(!is_sealed_tcp(&header, Magic::DEFAULT));
    }
}
