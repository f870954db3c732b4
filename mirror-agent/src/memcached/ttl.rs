//! Times to live (protocol.txt, "Expiration times").
//!
//! A request has one number for all of them, whose meaning depends on its size: 0 is for ever, less is over at once,
//! up to thirty days are seconds from now on, and more is Unix time by the server's clock. A remaining time that is
//! sent as it is can so become for ever, or long ago.

/// The most seconds that memcached takes for a time from now on.
const MOST_RELATIVE: u64 = 60 * 60 * 24 * 30;
/// The most that memcached reads. Some versions refuse what is more, others take it for less than 0 (1.6.38).
const MOST: u64 = i32::MAX as u64;

/// How long an item has to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// For ever.
    Never,
    /// So many seconds. With none left, an item is stored and gone: what was there before is gone, too.
    Remaining(u64),
}

impl Ttl {
    /// The number that a request has for it. `now` is the server's clock (`time` of `stats`), in seconds since the
    /// epoch.
    ///
    /// No item gets more time than it has. Where 31 bits do not hold the end as Unix time, which they do until
    /// 2038, it gets as much as can be said.
    pub fn sent(self, now: u64) -> i32 {
        let number = match self {
            Self::Never => 0,
            Self::Remaining(0) => return -1,
            Self::Remaining(seconds) if seconds <= MOST_RELATIVE => seconds,
            Self::Remaining(seconds) => match now.saturating_add(seconds).min(MOST) {
                end if end > now.saturating_add(MOST_RELATIVE) => end,
                _ => MOST_RELATIVE,
            },
        };
        i32::try_from(number).unwrap_or(i32::MAX)
    }

    /// Of what memcached tells of an item: `t` of meta get, and `ttl` of a watcher's evictions. That is -1 for ever,
    /// or the seconds that are left. Of an item whose time is just over, it tells less than that, or 2³² less than
    /// it should.
    pub fn told(number: i64) -> Self {
        match number {
            -1 => Self::Never,
            0..=0x7fff_ffff => Self::Remaining(number.unsigned_abs()),
            _ => Self::Remaining(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_795_907_103;
    const DAY: u64 = 86_400;

    /// What memcached makes of a number: seconds that are left.
    fn taken(number: i32, now: u64) -> Ttl {
        match u64::try_from(number) {
            Err(_) => Ttl::Remaining(0),
            Ok(0) => Ttl::Never,
            Ok(seconds) if seconds <= MOST_RELATIVE => Ttl::Remaining(seconds),
            Ok(end) => Ttl::Remaining(end.saturating_sub(now)),
        }
    }

    #[test]
    fn numbers() {
        let sent = |seconds| Ttl::Remaining(seconds).sent(NOW);
        assert_eq!(Ttl::Never.sent(NOW), 0);
        assert_eq!((sent(0), sent(1), sent(30 * DAY)), (-1, 1, 2_592_000));
        assert_eq!(sent(30 * DAY + 1), 1_798_499_104);
        assert_eq!(sent(u64::MAX), i32::MAX);
    }

    #[test]
    fn behind_the_end_of_31_bits() {
        let late = MOST - 10 * DAY;
        assert_eq!(Ttl::Remaining(20 * DAY).sent(late), 1_728_000);
        assert_eq!(Ttl::Remaining(40 * DAY).sent(late), 2_592_000);
        assert_eq!(Ttl::Remaining(40 * DAY).sent(u64::MAX), 2_592_000);
    }

    #[test]
    fn what_memcached_tells() {
        for (number, ttl) in [
            (-1, Ttl::Never),
            (0, Ttl::Remaining(0)),
            (99, Ttl::Remaining(99)),
            (i64::from(i32::MAX), Ttl::Remaining(MOST)),
            (i64::from(u32::MAX), Ttl::Remaining(0)),
            (-7, Ttl::Remaining(0)),
        ] {
            assert_eq!(Ttl::told(number), ttl, "{number}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_is_what_is_taken(seconds in 0..8 * 365 * DAY, now in NOW..NOW + 365 * DAY) {
            let ttl = Ttl::Remaining(seconds);
            prop_assert_eq!(taken(ttl.sent(now), now), ttl);
        }

        #[test]
        fn never_longer_and_never_for_ever(seconds: u64, now: u64) {
            match taken(Ttl::Remaining(seconds).sent(now), now) {
                Ttl::Never => prop_assert!(false, "immortal"),
                Ttl::Remaining(taken) => {
                    prop_assert!(taken <= seconds);
                    prop_assert!(taken >= seconds.min(MOST_RELATIVE));
                }
            }
        }
    }
}
