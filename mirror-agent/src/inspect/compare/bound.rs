//! How much a sample proves.

/// How sure a bound is.
pub const CONFIDENCE: f64 = 0.95;

/// The largest share of all keys that is consistent with `found` of a sample of `size`: with a larger one, so few
/// would be found in fewer than one of 20 samples. The one-sided bound of Clopper and Pearson (Biometrika 26, 1934).
pub fn upper(found: u64, size: u64) -> f64 {
    if found >= size {
        return 1.0;
    }
    let (mut low, mut high) = (found as f64 / size as f64, 1.0);
    // Halves the distance each time: 60 are enough for what a float holds.
    for _ in 0..60 {
        let share = (low + high) / 2.0;
        if at_most(found, size, share) > 1.0 - CONFIDENCE { low = share } else { high = share }
    }
    high
}

/// How likely it is to find at most `found` in a sample of `size` where a `share` of all, below 1, is such.
fn at_most(found: u64, size: u64, share: f64) -> f64 {
    let odds = (share / (1.0 - share)).ln();
    let mut term = size as f64 * (1.0 - share).ln();
    let mut sum = term.exp();
    for count in 1..=found {
        term += odds + ((size - count + 1) as f64 / count as f64).ln();
        sum += term.exp();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-4
    }

    /// The rule of three for none, and tables of the exact bound for others.
    #[test]
    fn known_bounds() {
        assert!(near(upper(0, 3_000), 0.000_998));
        assert!(near(upper(0, 10), 0.258_866));
        assert!(near(upper(1, 10), 0.394_163));
        assert!(near(upper(5, 10), 0.777_559));
        assert!(near(upper(10, 10), 1.0) && near(upper(0, 0), 1.0));
    }

    #[test]
    fn more_in_a_sample_means_more_in_all() {
        let mut last = 0.0;
        for found in 0..=20_000 {
            if found % 500 == 0 {
                let bound = upper(found, 20_000);
                assert!(bound > last && bound >= found as f64 / 20_000.0);
                last = bound;
            }
        }
    }
}
