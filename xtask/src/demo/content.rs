//! What is stored: pseudo-random, and the same for the same key on every run.

/// A small generator (Steele, Lea, Flood: "SplitMix64").
pub(crate) struct Random(u64);

impl Random {
    /// Numbers that depend on `seed` only.
    pub(crate) fn new(seed: &str) -> Self {
        // FNV-1a.
        Self(seed.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number, below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        // A `usize` has 64 bits wherever the lab runs; the slight bias does not matter.
        (self.next() as usize) % limit.max(1)
    }
}

/// The value of a key: mostly small, some of many segments, any bytes.
pub(crate) fn of(key: &str) -> Vec<u8> {
    let mut random = Random::new(key);
    let length = match random.below(100) {
        0..50 => random.below(200),
        50..90 => 200 + random.below(4_000),
        90..99 => 4_000 + random.below(36_000),
        _ => 100_000 + random.below(200_000),
    };
    let mut value = Vec::with_capacity(length + 8);
    while value.len() < length {
        value.extend(random.next().to_le_bytes());
    }
    value.truncate(length);
    value
}
