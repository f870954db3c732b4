//! When a copy was held first, as it carries it in `skb->tc_index` from round to round of the hold device.
//!
//! Sixteen bits of the monotonic clock, in units of about 2 ms; zero for a copy that has none.

/// A unit of the clock, as a shift of nanoseconds: 1.05 ms. The lowest bit is given up to tell a stamp from none.
const UNIT: u32 = 20;

/// The stamp of a copy that is held first at `now`, in ns.
#[inline(always)]
pub const fn at(now: u64) -> u16 {
    (now >> UNIT) as u16 | 1
}

/// For how long a copy with this `stamp` has waited at `now`, in ns, to about 2 ms; `None` without a stamp. Right
/// for waits of less than half a minute.
#[inline(always)]
pub const fn waited(stamp: u16, now: u64) -> Option<u64> {
    if stamp == 0 {
        return None;
    }
    let units = at(now).wrapping_sub(stamp);
    // Another processor's clock may be a little behind.
    let units = if units > u16::MAX / 2 { 0 } else { units };
    Some((units as u64) << UNIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn no_stamp_and_a_clock_behind() {
        assert_eq!(waited(0, 5 * SECOND), None);
        assert_eq!(waited(at(5 * SECOND), 5 * SECOND - 3_000_000), Some(0));
    }

    proptest! {
        #[test]
        fn a_wait_is_known_to_two_milliseconds(start in 0..u64::MAX / 2, wait in 0..30 * SECOND) {
            let known = waited(at(start), start + wait).unwrap();
            prop_assert!(known.abs_diff(wait) <= 2 << UNIT, "{known} of {wait}");
        }
    }
}
