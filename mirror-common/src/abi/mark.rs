//! The private values that packets of the mirror carry in `skb->mark` while they are on a host.
//!
//! Layout, host order: 16 bits of [`PREFIX`], 4 bits of [`Stage`], 12 bits of argument. A mark never
//! leaves the host (the field is not on the wire) and is zero again once a packet is let go.

use super::mapping::{GENERATIONS, MAX_MAPPINGS};

/// In `skb->cb` of our clones at the copy device: tells them from packets of others that happen to have our mark.
pub const TOKEN: u32 = 0x6d69_7272;

/// Upper half of every mark of ours.
pub const PREFIX: u32 = 0x6d72;

/// Where a packet of the mirror is on its way through this host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Stage {
    /// Source: a fresh copy that still has to be fanned out; the argument is the generation of tables that says
    /// where to, and the first mapping ([`pack_fan_out`]).
    FanOut = 1,
    /// Source: a copy for one mapping (the argument), not yet rewritten.
    Rewrite = 2,
    /// Source: a clone of a copy that is cut, to become one of its pieces.
    Piece = 3,
    /// Target: a sealed copy on its second pass, behind a segment that was made for it.
    Requeued = 4,
    /// Target: a sealed copy in, or back from, the hold device; the argument is the flow's epoch.
    Held = 5,
    /// Target: a reply turned round into an ACK.
    AckForClient = 6,
    /// Target: what was made, behind the hold device, of a copy that was judged there.
    Judged = 7,
}

/// Largest argument that fits a mark.
pub const MAX_ARGUMENT: u32 = 0xfff;

/// The argument of [`Stage::FanOut`]: a mapping's index is below [`MAX_MAPPINGS`].
#[inline(always)]
pub const fn pack_fan_out(generation: u32, first: u32) -> u32 {
    (generation * MAX_MAPPINGS) | first
}

/// The generation and the first mapping of such an argument.
#[inline(always)]
pub const fn unpack_fan_out(argument: u32) -> (u32, u32) {
    (argument / MAX_MAPPINGS % GENERATIONS, argument % MAX_MAPPINGS)
}

const _: () = assert!(pack_fan_out(GENERATIONS - 1, MAX_MAPPINGS - 1) <= MAX_ARGUMENT);

/// The mark for `stage` with `argument` (cut to 12 bits).
#[inline(always)]
pub const fn pack(stage: Stage, argument: u32) -> u32 {
    PREFIX << 16 | (stage as u32) << 12 | argument & MAX_ARGUMENT
}

/// The stage and argument in `mark`, or `None` when the mark is not ours.
#[inline(always)]
pub const fn unpack(mark: u32) -> Option<(Stage, u32)> {
    if mark >> 16 != PREFIX {
        return None;
    }
    let stage = match mark >> 12 & 0xf {
        1 => Stage::FanOut,
        2 => Stage::Rewrite,
        3 => Stage::Piece,
        4 => Stage::Requeued,
        5 => Stage::Held,
        6 => Stage::AckForClient,
        7 => Stage::Judged,
        _ => return None,
    };
    Some((stage, mark & MAX_ARGUMENT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn round_trip_and_foreign_marks() {
        for stage in [
            Stage::FanOut,
            Stage::Rewrite,
            Stage::Piece,
            Stage::Requeued,
            Stage::Held,
            Stage::AckForClient,
            Stage::Judged,
        ] {
            assert_eq!(unpack(pack(stage, 1023)), Some((stage, 1023)));
        }
        assert_eq!(unpack(0), None);
        assert_eq!(unpack(0x6d72_f001), None);
        assert_eq!(unpack(0x0000_1001), None);
    }

    #[test]
    fn a_fan_names_bank_and_mapping() {
        for (generation, first) in [(0, 0), (1, 0), (0, 1023), (1, 1023)] {
            assert_eq!(unpack_fan_out(pack_fan_out(generation, first)), (generation, first));
        }
    }

    proptest! {
        #[test]
        fn an_argument_is_cut_to_its_bits(argument: u32) {
            let mark = pack(Stage::Held, argument);
            prop_assert_eq!(unpack(mark), Some((Stage::Held, argument & MAX_ARGUMENT)));
        }

        #[test]
        fn only_marks_that_were_packed_are_ours(mark: u32, ours: bool) {
            let mark = if ours { PREFIX << 16 | mark & 0xffff } else { mark };
            match unpack(mark) {
                Some((stage, argument)) => prop_assert_eq!(pack(stage, argument), mark),
                None => prop_assert!(mark >> 16 != PREFIX || ![1, 2, 3, 4, 5, 6, 7].contains(&(mark >> 12 & 0xf))),
            }
        }
    }
}
