//! Marks: the mirror's own, and others.

/// Where a packet is on its way through the host, as the mark says.
pub(crate) const FAN: u32 = 0x6d72_1000;
pub(crate) const SINGLE: u32 = 0x6d72_2000;
pub(crate) const PIECE: u32 = 0x6d72_3000;
pub(crate) const AGAIN: u32 = 0x6d72_4000;
pub(crate) const HELD: u32 = 0x6d72_5000;
pub(crate) const REFLECTED: u32 = 0x6d72_6000;
pub(crate) const JUDGED: u32 = 0x6d72_7000;

/// Marks of the mirror's, with several arguments.
pub(crate) fn ours() -> impl Iterator<Item = u32> {
    [FAN, SINGLE, PIECE, AGAIN, HELD, REFLECTED, JUDGED]
        .into_iter()
        .flat_map(|stage| [0, 1, 0x800, 0xfff].map(|argument| stage | argument))
}

/// Marks of nobody's, or of others.
pub(crate) fn not_ours() -> [u32; 9] {
    [0, 1, 0x1000, 0x6d71_1000, 0x6d73_1000, 0x6d72_0000, 0x6d72_8000, 0x6d72_ffff, u32::MAX]
}
