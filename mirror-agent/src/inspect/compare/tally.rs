//! How many keys came out how, and the verdict.

use serde::Serialize;

use super::{bound, item::Difference, rounds::Outcome};

/// The largest share of keys of which nothing may be known, for a verdict that all is well.
const UNKNOWN: f64 = 0.05;

/// Keys by how they came out: `compared` is the sum of all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Keys that were looked at.
    pub compared: u64,
    /// Both servers say the same.
    pub same: u64,
    /// Neither has it any more: it expired or was deleted since it was listed.
    pub gone: u64,
    /// Production changed it in each round.
    pub volatile: u64,
    /// The new server does not have it.
    pub missing: u64,
    /// Only the new server has it.
    pub extra: u64,
    /// The new server has another value.
    pub stale: u64,
    /// The new server has other flags.
    pub flags: u64,
    /// On the new server, it expires at another time.
    pub ttl: u64,
    /// The text protocol cannot name it.
    pub unreadable: u64,
}

/// What it means for a cut-over, the best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No key differs, or fewer than are allowed.
    #[default]
    Same,
    /// Nothing was found that is not allowed, but too little is known to say that there is nothing.
    Unproven,
    /// Keys are missing, and nothing is wrong: clients would have misses.
    Missing,
    /// There are keys that clients would be told something wrong about: extra and stale ones, flags, times to live.
    Wrong,
}

impl Tally {
    /// Counts a key.
    pub fn count(&mut self, outcome: Outcome) {
        self.compared += 1;
        *match outcome {
            Outcome::Same => &mut self.same,
            Outcome::Gone => &mut self.gone,
            Outcome::Volatile => &mut self.volatile,
            Outcome::Different(Difference::Missing) => &mut self.missing,
            Outcome::Different(Difference::Extra) => &mut self.extra,
            Outcome::Different(Difference::Stale) => &mut self.stale,
            Outcome::Different(Difference::Flags) => &mut self.flags,
            Outcome::Different(Difference::Ttl) => &mut self.ttl,
        } += 1;
    }

    /// Counts keys that cannot be asked for.
    pub fn count_unreadable(&mut self, keys: u64) {
        self.compared += keys;
        self.unreadable += keys;
    }

    /// Keys of which it is known whether they differ.
    pub fn judged(&self) -> u64 {
        self.same + self.missing + self.wrong()
    }

    /// Those that clients would be told something wrong about.
    pub fn wrong(&self) -> u64 {
        self.extra + self.stale + self.flags + self.ttl
    }

    /// Those of which nothing is known.
    pub fn unknown(&self) -> u64 {
        self.volatile + self.unreadable
    }

    /// The verdict, where this share of all keys may be missing, and this share wrong.
    pub fn verdict(&self, is_sample: bool, allowed: f64) -> Verdict {
        let judged = self.judged();
        let is_more = |found: u64| found > 0 && found as f64 > allowed * judged as f64;
        let may_be_more =
            |found| is_sample && allowed > 0.0 && bound::upper(found, judged) > allowed;
        if is_more(self.wrong()) {
            Verdict::Wrong
        } else if is_more(self.missing) {
            Verdict::Missing
        } else if judged == 0
            || self.unknown() as f64 > UNKNOWN * self.compared as f64
            || may_be_more(self.wrong())
            || may_be_more(self.missing)
        {
            Verdict::Unproven
        } else {
            Verdict::Same
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_counted_once() {
        let mut tally = Tally::default();
        for outcome in [
            Outcome::Same,
            Outcome::Gone,
            Outcome::Volatile,
            Outcome::Different(Difference::Missing),
            Outcome::Different(Difference::Extra),
            Outcome::Different(Difference::Stale),
            Outcome::Different(Difference::Flags),
            Outcome::Different(Difference::Ttl),
        ] {
            tally.count(outcome);
        }
        tally.count_unreadable(1);
        let one = Tally {
            compared: 9,
            same: 1,
            gone: 1,
            volatile: 1,
            missing: 1,
            extra: 1,
            stale: 1,
            flags: 1,
            ttl: 1,
            unreadable: 1,
        };
        assert_eq!(tally, one);
        assert_eq!((tally.judged(), tally.wrong()), (6, 4));
    }

    #[test]
    fn verdicts() {
        let verdict = |missing, extra, same, is_sample, percent: f64| {
            let tally = Tally {
                compared: missing + extra + same,
                missing,
                extra,
                same,
                ..Tally::default()
            };
            tally.verdict(is_sample, percent / 100.0)
        };
        for is_sample in [false, true] {
            assert_eq!(verdict(0, 0, 0, is_sample, 0.0), Verdict::Unproven);
            assert_eq!(verdict(0, 0, 9, is_sample, 0.0), Verdict::Same);
            assert_eq!(verdict(1, 0, 9_999, is_sample, 0.0), Verdict::Missing);
            assert_eq!(verdict(1, 1, 9_999, is_sample, 0.0), Verdict::Wrong);
            assert_eq!(verdict(90, 20, 9_890, is_sample, 0.5), Verdict::Missing);
            assert_eq!(verdict(90, 60, 9_850, is_sample, 0.5), Verdict::Wrong);
            assert_eq!(verdict(9, 2, 9_989, is_sample, 0.5), Verdict::Same);
        }
        // Few were looked at.
        assert_eq!(verdict(0, 0, 100, false, 0.1), Verdict::Same);
        assert_eq!(verdict(0, 0, 100, true, 0.1), Verdict::Unproven);
        assert_eq!(verdict(0, 0, 3_000, true, 0.1), Verdict::Same);
        assert_eq!(verdict(1, 0, 2_999, true, 0.1), Verdict::Unproven);
        // Nothing is known of any.
        let volatile = Tally { compared: 9, volatile: 8, gone: 1, ..Tally::default() };
        assert_eq!(volatile.verdict(false, 0.0), Verdict::Unproven);
        let gone = Tally { compared: 9, gone: 9, ..Tally::default() };
        assert_eq!(gone.verdict(false, 0.0), Verdict::Unproven);
        // Or of too many.
        for (unreadable, want) in [(5, Verdict::Same), (6, Verdict::Unproven)] {
            let tally =
                Tally { compared: 100, same: 100 - unreadable, unreadable, ..Tally::default() };
            assert_eq!(tally.verdict(false, 0.0), want);
        }
        assert!(
            Verdict::Same < Verdict::Unproven
                && Verdict::Unproven < Verdict::Missing
                && Verdict::Missing < Verdict::Wrong
        );
    }
}
