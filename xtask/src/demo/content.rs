//! What is stored: pseudo-random, and the same for the same key on every run.

use mirror_tests::random::Random;

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
        value.extend(random.number().to_le_bytes());
    }
    value.truncate(length);
    value
}
