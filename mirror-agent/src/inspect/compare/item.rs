//! One key on one server, and what differs between two.

use serde::Serialize;

use crate::memcached::ttl::Ttl;

/// Seconds that times to live may differ by: a copy waits no longer than 2 s, and servers count whole seconds.
const TOLERANCE: u64 = 3;

/// What a server holds under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its unique number, which changes with the value; 0 where the server gives none.
    pub unique: u64,
    /// What was read of it; `None` where the other server has none, and so nothing was.
    pub content: Option<Content>,
    /// Bytes that it takes on its server, where nothing was read.
    pub size: Option<u64>,
}

/// What clients put there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// Bytes of the value.
    pub length: usize,
    /// A hash of the value.
    pub digest: u64,
    /// The client's flags.
    pub flags: u64,
    /// Whether a client has marked it as stale; `None` where the server does not tell.
    pub marked: Option<bool>,
    /// How long the item has to live; `None` where the server does not tell.
    pub left: Option<Ttl>,
}

/// A key on both servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Both {
    /// On the old server.
    pub old: Option<Item>,
    /// On the new one.
    pub new: Option<Item>,
}

/// What differs, the worst of it first where it is more than one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// The new server does not have it.
    Missing,
    /// Only the new server has it.
    Extra,
    /// Another value, or one that is marked as stale on one side only.
    Stale,
    /// Other flags.
    Flags,
    /// It expires at another time.
    Ttl,
}

impl Both {
    /// What differs; `None` where nothing does, or neither server has it.
    pub fn difference(&self) -> Option<Difference> {
        let (old, new) = match (self.old, self.new) {
            (None, None) => return None,
            (Some(_), None) => return Some(Difference::Missing),
            (None, Some(_)) => return Some(Difference::Extra),
            (Some(Item { content: Some(old), .. }), Some(Item { content: Some(new), .. })) => {
                (old, new)
            }
            // Not read: not known to be the same.
            (Some(_), Some(_)) => return Some(Difference::Stale),
        };
        if (old.length, old.digest) != (new.length, new.digest) || is_other(old.marked, new.marked)
        {
            Some(Difference::Stale)
        } else if old.flags != new.flags {
            Some(Difference::Flags)
        } else {
            (!is_near(old.left, new.left, 0)).then_some(Difference::Ttl)
        }
    }
}

/// Whether two marks differ, where both are known.
fn is_other(one: Option<bool>, other: Option<bool>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

/// Whether something was written under a key that a server has before and after: not only touched.
pub fn is_written(before: &Item, now: &Item) -> bool {
    let value = |item: &Item| item.content.map(|it| (it.length, it.digest, it.flags, it.marked));
    before.unique != now.unique
        || matches!((value(before), value(now)), (Some(before), Some(now)) if before != now)
}

/// Whether a key is on a server as it was `seconds` before.
pub fn is_unchanged(before: Option<&Item>, now: Option<&Item>, seconds: u64) -> bool {
    let (before, now) = match (before, now) {
        (None, None) => return true,
        (Some(before), Some(now)) => (before, now),
        _ => return false,
    };
    if is_written(before, now) {
        return false;
    }
    match (before.content, now.content) {
        (Some(before), Some(now)) => is_near(before.left, now.left, seconds),
        (None, None) => before.size == now.size,
        // The other server has it since, or no more; this one's unique number did not change.
        _ => now.unique != 0,
    }
}

/// Whether two times to live are of one moment, where the second was asked for `seconds` later.
fn is_near(one: Option<Ttl>, other: Option<Ttl>, seconds: u64) -> bool {
    match (one, other) {
        (Some(Ttl::Remaining(one)), Some(Ttl::Remaining(other))) => {
            one.abs_diff(other.saturating_add(seconds)) <= TOLERANCE
        }
        (Some(one), Some(other)) => one == other,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: Content = Content {
        length: 3,
        digest: 1,
        flags: 0,
        marked: Some(false),
        left: Some(Ttl::Remaining(100)),
    };

    fn item(unique: u64, content: Content) -> Option<Item> {
        Some(Item { unique, content: Some(content), size: None })
    }

    fn between(old: Content, new: Content) -> Option<Difference> {
        Both { old: item(1, old), new: item(9, new) }.difference()
    }

    #[test]
    fn differences() {
        let left = |seconds| Content { left: Some(Ttl::Remaining(seconds)), ..CONTENT };
        let forever = Content { left: Some(Ttl::Never), ..CONTENT };
        let unknown = Content { left: None, ..CONTENT };
        for (other, want) in [
            (CONTENT, None),
            (Content { digest: 2, flags: 1, ..forever }, Some(Difference::Stale)),
            (Content { length: 4, ..CONTENT }, Some(Difference::Stale)),
            (Content { marked: Some(true), ..CONTENT }, Some(Difference::Stale)),
            (Content { marked: None, ..CONTENT }, None),
            (Content { flags: 1, ..forever }, Some(Difference::Flags)),
            (forever, Some(Difference::Ttl)),
            (left(104), Some(Difference::Ttl)),
            (left(103), None),
            (unknown, None),
        ] {
            assert_eq!(between(CONTENT, other), want, "{other:?}");
            assert_eq!(between(other, CONTENT), want, "{other:?}");
        }
        let here = Some(Item { unique: 1, content: None, size: Some(64) });
        let of = |old, new| Both { old, new }.difference();
        assert_eq!(of(here, None), Some(Difference::Missing));
        assert_eq!(of(None, here), Some(Difference::Extra));
        assert_eq!(of(None, None), None);
        assert_eq!(of(here, here), Some(Difference::Stale), "nobody read it");
    }

    #[test]
    fn changes() {
        let left = |unique, seconds| {
            item(unique, Content { left: Some(Ttl::Remaining(seconds)), ..CONTENT })
        };
        let same =
            |one: Option<Item>, other: Option<Item>| is_unchanged(one.as_ref(), other.as_ref(), 10);
        assert!(same(left(5, 100), left(5, 90)) && same(None, None));
        assert!(!same(left(5, 100), left(5, 100)), "touched");
        assert!(
            !same(left(5, 100), left(6, 90))
                && !same(left(5, 100), None)
                && !same(None, left(5, 100))
        );
        // Without unique numbers, by what was read.
        assert!(same(left(0, 100), left(0, 90)));
        let other = item(0, Content { digest: 2, left: Some(Ttl::Remaining(90)), ..CONTENT });
        assert!(!same(left(0, 100), other));
        let seen = |unique, size| Some(Item { unique, content: None, size: Some(size) });
        assert!(same(seen(5, 64), seen(5, 64)) && !same(seen(0, 64), seen(0, 65)));
        assert!(same(seen(5, 64), left(5, 7)) && !same(seen(0, 64), left(0, 7)));
    }
}
