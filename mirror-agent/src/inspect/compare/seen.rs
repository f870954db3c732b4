//! Which keys of a list were seen: a Bloom filter (Communications of the ACM 13, 1970), since all of them do not fit
//! memory.

use std::hash::{BuildHasher as _, RandomState};

/// Bits for each key: with [`PROBES`], one of some 400 keys that were not seen is taken for one that was.
const BITS: u64 = 16;
/// Bits that a key sets.
const PROBES: u64 = 4;
/// The least and the most keys that room is made for: 512 MiB.
const ROOM: [u64; 2] = [1 << 10, 1 << 28];

/// Keys that were seen.
#[derive(Debug)]
pub struct Seen {
    hash: RandomState,
    bits: Vec<u64>,
}

impl Seen {
    /// With room for so many keys.
    pub fn new(keys: u64) -> Self {
        let bits = keys.clamp(ROOM[0], ROOM[1]) * BITS;
        Self { hash: RandomState::new(), bits: vec![0; bits.div_ceil(64) as usize] }
    }

    /// Takes a key.
    pub fn add(&mut self, key: &[u8]) {
        for (word, bit) in self.places(key) {
            self.bits[word] |= bit;
        }
    }

    /// Whether a key was taken: never wrong where it was, and nearly never where it was not.
    pub fn has(&self, key: &[u8]) -> bool {
        self.places(key).iter().all(|(word, bit)| self.bits[*word] & bit != 0)
    }

    /// The words of a key's bits, and these.
    fn places(&self, key: &[u8]) -> [(usize, u64); PROBES as usize] {
        let hash = self.hash.hash_one(key);
        // Two halves make as many hashes as are wanted (Kirsch and Mitzenmacher, 2006).
        let (first, step) = (hash >> 32, hash & 0xffff_ffff | 1);
        let bits = self.bits.len() as u64 * 64;
        std::array::from_fn(|probe| {
            let spread = first.wrapping_add(step.wrapping_mul(probe as u64 + 1));
            let at = spread.wrapping_mul(0x9e37_79b9_7f4a_7c15) % bits;
            ((at / 64) as usize, 1 << (at % 64))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_and_what_was_not() {
        const KEYS: u64 = 100_000;
        let mut seen = Seen::new(KEYS);
        (0..KEYS).for_each(|key| seen.add(&key.to_be_bytes()));
        assert!((0..KEYS).all(|key| seen.has(&key.to_be_bytes())));
        let wrong = (KEYS..2 * KEYS).filter(|key| seen.has(&key.to_be_bytes())).count();
        // 240 are expected, with a deviation of 15.
        assert!((100..500).contains(&wrong), "{wrong}");
    }

    #[test]
    fn more_than_there_is_room_for() {
        let mut seen = Seen::new(0);
        (0..100_000u64).for_each(|key| seen.add(&key.to_be_bytes()));
        assert!((0..100_000u64).all(|key| seen.has(&key.to_be_bytes())));
    }
}
