//! Takes an input apart. What is missing at its end is zero.

pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Bytes<'_> {
    pub(crate) fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut taken = [0; N];
        let (now, later) = self.0.split_at(N.min(self.0.len()));
        taken[..now.len()].copy_from_slice(now);
        self.0 = later;
        taken
    }

    /// Words as they lie in a packet.
    pub(crate) fn words<const N: usize>(&mut self) -> [u32; N] {
        [(); N].map(|()| u32::from_ne_bytes(self.take()))
    }
}
