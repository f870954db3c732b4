//! Which difference counts. Copies are later than what they are copies of, and clients go on meanwhile: a difference
//! is one that is found again when production has had time to be copied.

use super::item::{Both, Difference, Item, is_unchanged, is_written};

/// How a key came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Both servers say the same.
    Same,
    /// Neither has it any more.
    Gone,
    /// Clients change it all the time, so that nothing can be said.
    Volatile,
    /// It differs, and not because copies are late.
    Different(Difference),
}

/// A key that differed at each look up to now.
#[derive(Clone, Debug)]
pub struct Pending {
    /// The key.
    pub key: Vec<u8>,
    /// As it was at the last look.
    pub last: Both,
    /// Whether the old server had it at each look, and something was written there between two of them.
    written: bool,
    /// Whether the old server had it at each look.
    kept: bool,
    /// Whether the new server had the very same at each look, or nothing.
    still: bool,
}

/// What a first look at a key says, where it says all.
pub fn first(seen: &Both) -> Option<Outcome> {
    match seen {
        Both { old: None, new: None } => Some(Outcome::Gone),
        seen => seen.difference().is_none().then_some(Outcome::Same),
    }
}

impl Pending {
    /// A key that differs at the first look.
    pub fn new(key: Vec<u8>, seen: Both) -> Self {
        Self { key, last: seen, written: false, kept: seen.old.is_some(), still: true }
    }

    /// What a further look says, `seconds` after the one before; `None` where one more is needed. There is none
    /// behind the `last`.
    pub fn again(&mut self, seen: Both, seconds: u64, last: bool) -> Option<Outcome> {
        let before = std::mem::replace(&mut self.last, seen);
        if let Some(outcome) = first(&seen) {
            return Some(outcome);
        }
        let difference = seen.difference()?;
        let is_same = |before: Option<Item>, now: Option<Item>| {
            is_unchanged(before.as_ref(), now.as_ref(), seconds)
        };
        let (old, new) = (is_same(before.old, seen.old), is_same(before.new, seen.new));
        self.still &= new;
        self.kept &= seen.old.is_some();
        if old && new {
            return Some(Outcome::Different(difference));
        }
        // What was written before the look before has had its time, and the new server shows no trace of any write.
        if self.written && self.kept && self.still {
            return Some(Outcome::Different(difference));
        }
        if let (Some(before), Some(now)) = (before.old, seen.old) {
            self.written |= is_written(&before, &now);
        }
        // Only the new server writes, under a key that the old one keeps. A key that the old one does not have may
        // come and go there between looks.
        let is_alone = old && seen.old.is_some();
        last.then_some(if is_alone { Outcome::Different(difference) } else { Outcome::Volatile })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::compare::item::Content;

    const SAME: Option<Outcome> = Some(Outcome::Same);
    const VOLATILE: Option<Outcome> = Some(Outcome::Volatile);
    const STALE: Option<Outcome> = Some(Outcome::Different(Difference::Stale));
    const MISSING: Option<Outcome> = Some(Outcome::Different(Difference::Missing));
    const EXTRA: Option<Outcome> = Some(Outcome::Different(Difference::Extra));

    /// A value, with a unique number that belongs to it.
    fn value(digest: u64) -> Option<Item> {
        let content = Content { length: 1, digest, flags: 0, marked: Some(false), left: None };
        Some(Item { unique: digest, content: Some(content), size: None })
    }

    /// How a key comes out that is seen like this, look by look; 0 for none. `None` where it needs more of them.
    fn outcome(looks: &[(u64, u64)]) -> Option<Outcome> {
        let item = |digest| if digest == 0 { None } else { value(digest) };
        let mut seen = looks.iter().map(|(old, new)| Both { old: item(*old), new: item(*new) });
        let last = seen.next().expect("a look");
        if let Some(outcome) = first(&last) {
            return Some(outcome);
        }
        let mut pending = Pending::new(Vec::new(), last);
        let left = looks.len() - 1;
        seen.enumerate().find_map(|(look, seen)| pending.again(seen, 3, look + 1 == left))
    }

    #[test]
    fn at_once() {
        assert_eq!(outcome(&[(1, 1)]), SAME);
        assert_eq!(outcome(&[(0, 0)]), Some(Outcome::Gone));
        assert_eq!(outcome(&[(1, 0)]), None);
    }

    #[test]
    fn a_copy_that_is_late() {
        assert_eq!(outcome(&[(2, 1), (2, 2)]), SAME);
        assert_eq!(outcome(&[(1, 0), (1, 1)]), SAME);
        assert_eq!(outcome(&[(0, 1), (0, 0)]), Some(Outcome::Gone));
    }

    #[test]
    fn what_stays_different() {
        assert_eq!(outcome(&[(2, 1), (2, 1), (2, 2)]), STALE);
        assert_eq!(outcome(&[(2, 0), (2, 0), (2, 2)]), MISSING);
        assert_eq!(outcome(&[(0, 2), (0, 2), (0, 0)]), EXTRA);
    }

    /// Its copies come, late.
    #[test]
    fn what_production_changes() {
        assert_eq!(outcome(&[(2, 1), (3, 2), (4, 3)]), VOLATILE);
        assert_eq!(outcome(&[(2, 1), (3, 1), (4, 3)]), VOLATILE);
        assert_eq!(outcome(&[(2, 1), (3, 2), (4, 2), (5, 4)]), VOLATILE);
        // Once it stops, it is known.
        assert_eq!(outcome(&[(2, 1), (3, 2), (3, 2), (4, 4)]), STALE);
        assert_eq!(outcome(&[(2, 1), (3, 2), (4, 4)]), SAME);
        // What was written first may not have been copied at the second look.
        assert_eq!(outcome(&[(2, 1), (3, 1)]), VOLATILE);
    }

    /// A mirror that copies nothing is none of late copies.
    #[test]
    fn what_production_changes_and_nobody_copies() {
        assert_eq!(outcome(&[(2, 1), (3, 1), (4, 1)]), STALE);
        assert_eq!(outcome(&[(2, 0), (3, 0), (4, 0)]), MISSING);
        assert_eq!(outcome(&[(2, 1), (2, 2)]), SAME);
    }

    /// A lock that is taken and given back all the time: who looks may see either.
    #[test]
    fn what_comes_and_goes() {
        assert_eq!(outcome(&[(0, 1), (0, 2), (0, 3)]), VOLATILE);
        assert_eq!(outcome(&[(1, 0), (0, 2), (3, 0)]), VOLATILE);
        assert_eq!(outcome(&[(1, 0), (0, 0)]), Some(Outcome::Gone));
    }

    #[test]
    fn what_only_the_new_server_changes() {
        assert_eq!(outcome(&[(9, 1), (9, 2), (9, 3)]), STALE);
        assert_eq!(outcome(&[(9, 1), (9, 2)]), STALE);
    }
}
