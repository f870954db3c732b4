//! Which difference counts. Copies are later than what they are copies of, and clients go on meanwhile: a difference
//! is one that is found again, with the key on both servers as it was the round before.

use super::item::{Both, Difference, is_unchanged};

/// How a key came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Both servers say the same.
    Same,
    /// Neither has it any more.
    Gone,
    /// Clients changed it in each round on the old server, and it differed each time.
    Volatile,
    /// It differs, and the old server's did not change.
    Different(Difference),
}

/// A key that differed.
#[derive(Clone, Debug)]
pub struct Pending {
    /// The key.
    pub key: Vec<u8>,
    /// As it was in the last round.
    pub last: Both,
}

/// What a first look at a key says, where it says all.
pub fn first(seen: &Both) -> Option<Outcome> {
    match seen {
        Both { old: None, new: None } => Some(Outcome::Gone),
        seen => seen.difference().is_none().then_some(Outcome::Same),
    }
}

impl Pending {
    /// What a further look says, `seconds` after the one before; `None` where one more is needed. There is none
    /// behind the `last`.
    pub fn again(&mut self, seen: Both, seconds: u64, last: bool) -> Option<Outcome> {
        let before = std::mem::replace(&mut self.last, seen);
        if let Some(outcome) = first(&seen) {
            return Some(outcome);
        }
        let difference = seen.difference()?;
        let is_same = |before: Option<_>, now: Option<_>| {
            is_unchanged(before.as_ref(), now.as_ref(), seconds)
        };
        let (old, new) = (is_same(before.old, seen.old), is_same(before.new, seen.new));
        match (old, new) {
            (true, true) => Some(Outcome::Different(difference)),
            (true, false) => last.then_some(Outcome::Different(difference)),
            (false, _) => last.then_some(Outcome::Volatile),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::item::{Content, Item};

    /// A value, with a unique number that belongs to it.
    fn value(digest: u64) -> Option<Item> {
        let content = Content { length: 1, digest, flags: 0, left: None };
        Some(Item { unique: digest, content: Some(content), size: None })
    }

    /// How a key comes out that is seen like this, round by round; `None` where it needs more of them.
    fn outcome(rounds: &[(Option<Item>, Option<Item>)]) -> Option<Outcome> {
        let mut seen = rounds.iter().map(|(old, new)| Both { old: *old, new: *new });
        let last = seen.next().expect("a round");
        let Some(outcome) = first(&last).map(Some).unwrap_or(None) else {
            let mut pending = Pending { key: Vec::new(), last };
            let left = rounds.len() - 1;
            return seen
                .enumerate()
                .find_map(|(round, seen)| pending.again(seen, 3, round + 1 == left));
        };
        Some(outcome)
    }

    #[test]
    fn at_once() {
        assert_eq!(outcome(&[(value(1), value(1))]), Some(Outcome::Same));
        assert_eq!(outcome(&[(None, None)]), Some(Outcome::Gone));
        assert_eq!(outcome(&[(value(1), None)]), None);
    }

    #[test]
    fn a_copy_that_is_late() {
        let late = [(value(2), value(1)), (value(2), value(2))];
        assert_eq!(outcome(&late), Some(Outcome::Same));
        assert_eq!(outcome(&[(value(1), None), (value(1), value(1))]), Some(Outcome::Same));
        assert_eq!(outcome(&[(None, value(1)), (None, None)]), Some(Outcome::Gone));
    }

    #[test]
    fn what_stays_different() {
        let different = |difference| Some(Outcome::Different(difference));
        let twice = |old, new| outcome(&[(old, new), (old, new), (old, old)]);
        assert_eq!(twice(value(2), value(1)), different(Difference::Stale));
        assert_eq!(twice(value(2), None), different(Difference::Missing));
        assert_eq!(twice(None, value(2)), different(Difference::Extra));
    }

    #[test]
    fn what_production_changes() {
        let (one, two, three) = ((value(2), value(1)), (value(3), value(1)), (value(4), value(1)));
        assert_eq!(outcome(&[one, two, three]), Some(Outcome::Volatile));
        // Once it stops, it is known.
        assert_eq!(outcome(&[one, two, two, three]), Some(Outcome::Different(Difference::Stale)));
        assert_eq!(outcome(&[one, two, (value(4), value(4))]), Some(Outcome::Same));
    }

    #[test]
    fn what_only_the_new_server_changes() {
        let rounds = [(value(9), value(1)), (value(9), value(2)), (value(9), value(3))];
        assert_eq!(outcome(&rounds), Some(Outcome::Different(Difference::Stale)));
        assert_eq!(outcome(&rounds[..1]), None);
    }
}
