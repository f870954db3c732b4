//! The one door to packet bytes.

/// A packet that starts with its Ethernet header. Offsets and lengths are in bytes.
///
/// Headers are read as 32-bit words whose memory is the packet's, so in network byte order:
/// `u32::from_be` gives the number.
pub trait Packet {
    /// The `N` words at `offset`, or `None` when the packet ends before.
    fn words<const N: usize>(&self, offset: u32) -> Option<[u32; N]>;

    /// The `N` bytes at `offset`, or `None` when the packet ends before.
    fn bytes<const N: usize>(&self, offset: u32) -> Option<[u8; N]>;

    /// Length from the Ethernet header to the end, Ethernet padding included.
    fn length(&self) -> u32;
}

impl Packet for [u8] {
    fn words<const N: usize>(&self, offset: u32) -> Option<[u32; N]> {
        let start = usize::try_from(offset).ok()?;
        let bytes = self.get(start..start.checked_add(N * 4)?)?;
        let mut words = [0; N];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(4)) {
            *word = u32::from_ne_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
        }
        Some(words)
    }

    fn bytes<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        let start = usize::try_from(offset).ok()?;
        self.get(start..start.checked_add(N)?)?.try_into().ok()
    }

    fn length(&self) -> u32 {
        u32::try_from(self.len()).unwrap_or(u32::MAX)
    }
}
