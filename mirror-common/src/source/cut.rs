//! How a copy of one TCP segment is cut in pieces, where the path to its target takes only smaller packets.
//!
//! Several segments in one packet (GSO) are not cut here: the kernel cuts them, into segments whose size is lowered.

use crate::packet::{
    seal,
    tcp::{FIN, Header, PSH, RST, SYN},
};

/// Most pieces of one segment: those of the largest that there can be, on a path that takes 1400 bytes.
pub const MAX_PIECES: u32 = 48;
/// Least payload of a piece. Every path of IPv4 takes more (RFC 1122, 3.3.3).
pub const LEAST: u32 = 256;

/// The pieces of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pieces {
    /// Bytes of payload of each but the last.
    pub size: u32,
    /// How many there are.
    pub count: u32,
}

/// The pieces of a segment with `headers` bytes from the IP header to its payload, on a path that takes packets of `mtu`
/// bytes. `None` where there is nothing to cut, or the pieces are too small or too many.
#[inline(always)]
pub const fn pieces(headers: u32, payload: u32, mtu: u32) -> Option<Pieces> {
    let size = mtu.saturating_sub(headers) & !7;
    if size < LEAST || payload <= size {
        return None;
    }
    let count = payload.div_ceil(size);
    if count > MAX_PIECES { None } else { Some(Pieces { size, count }) }
}

/// Whether the sealed segment with this header can be cut: SYNs and resets are whole.
#[inline(always)]
pub fn can_be_cut(sealed: &Header) -> bool {
    seal::unseal_tcp(sealed).flags() & (SYN | RST) == 0
}

/// The header of the piece `offset` bytes into the sealed segment with the header `sealed`, as the card's segmentation
/// has it: the first parts of a segment neither push nor finish. Without a checksum.
#[inline(always)]
pub fn header(sealed: &Header, offset: u32, last: bool) -> Header {
    let mut piece = *sealed;
    // Sealing turns the highest bit alone, so that a sum is the same before and after.
    piece.set_seq(sealed.seq().wrapping_add(offset));
    if !last {
        piece.set_control(sealed.length(), sealed.flags() & !(FIN | PSH), sealed.window());
    }
    let urgent = sealed.urgent();
    piece.set_checksum(0);
    piece.set_urgent(urgent);
    piece
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{seal::Magic, tcp::ACK};
    use proptest::prelude::*;

    #[test]
    fn what_fits_and_what_makes_no_sense_is_not_cut() {
        assert_eq!(pieces(52, 1448, 1500), None, "fits");
        assert_eq!(pieces(52, 1448, 300), None, "next to nothing in each");
        assert_eq!(pieces(52, 1448, 20), None, "less than headers");
        assert_eq!(pieces(52, 60_000, 576), None, "too many");
        assert_eq!(pieces(52, 8948, 1500), Some(Pieces { size: 1448, count: 7 }));
        assert!(pieces(60, 65_475, 1428).is_some(), "the largest, for a path of 1400");
    }

    #[test]
    fn only_data_is_cut() {
        for (flags, can) in [(ACK, true), (ACK | FIN | PSH, true), (SYN, false), (RST | ACK, false)]
        {
            let mut header = Header([0; 5]);
            header.set_control(20, flags, 1000);
            let sealed = seal::seal_tcp(&header, Magic::DEFAULT).expect("not urgent");
            assert_eq!(can_be_cut(&sealed), can, "{flags:#x}");
        }
    }

    proptest! {
        #[test]
        fn pieces_are_all_of_it_and_fit(headers in 40u32..120, payload in 0u32..65_536, mtu in 0u32..10_000) {
            if let Some(Pieces { size, count }) = pieces(headers, payload, mtu) {
                prop_assert!(headers + size <= mtu);
                prop_assert!((2..=MAX_PIECES).contains(&count));
                prop_assert!(size * (count - 1) < payload && payload <= size * count);
            }
        }

        #[test]
        fn a_piece_is_the_sealed_segment_from_there(words: [u32; 5], offset in 0u32..65_536, last: bool) {
            let mut plain = Header(words);
            plain.set_control(32, ACK | PSH | FIN, 1000);
            let sealed = seal::seal_tcp(&plain, Magic::DEFAULT).expect("not urgent");
            let piece = header(&sealed, offset, last);
            prop_assert!(seal::is_sealed_tcp(&piece, Magic::DEFAULT));
            let piece = seal::unseal_tcp(&piece);
            prop_assert_eq!(piece.seq(), plain.seq().wrapping_add(offset));
            prop_assert_eq!(piece.ack(), plain.ack());
            prop_assert_eq!(piece.length(), 32);
            prop_assert_eq!(piece.flags(), if last { ACK | PSH | FIN } else { ACK });
        }
    }
}
