//! Which items of a list are shown: of some prefixes, and a sample of them.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, RandomState},
};

use crate::memcached::dump::Item;

/// Beginnings of keys; none for every key.
#[derive(Clone, Debug, Default)]
pub struct Prefixes(pub Vec<String>);

impl Prefixes {
    /// Whether one of them begins this key.
    pub fn cover(&self, key: &[u8]) -> bool {
        self.0.is_empty() || self.0.iter().any(|prefix| key.starts_with(prefix.as_bytes()))
    }
}

/// So many items, each set of them as likely as any other: those whose keys have the smallest hashes, of a hash
/// function that nobody knows. A key that a list has twice is taken once.
#[derive(Debug)]
pub struct Reservoir {
    room: usize,
    hash: RandomState,
    taken: BTreeMap<u64, Item>,
}

impl Reservoir {
    /// For `room` items.
    pub fn new(room: usize) -> Self {
        Self::with(room, RandomState::new())
    }

    /// For `room` items, by a hash that others have, too.
    pub fn with(room: usize, hash: RandomState) -> Self {
        Self { room, hash, taken: BTreeMap::new() }
    }

    /// Takes an item, and lets go of another where there are too many.
    pub fn offer(&mut self, item: Item) {
        let hash = self.hash.hash_one(&item.key);
        let full = self.taken.len() >= self.room;
        if full && self.taken.last_key_value().is_some_and(|(largest, _)| *largest < hash) {
            return;
        }
        self.taken.insert(hash, item);
        if self.taken.len() > self.room {
            self.taken.pop_last();
        }
    }

    /// The sample, in random order.
    pub fn into_items(self) -> impl Iterator<Item = Item> {
        self.taken.into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(number: usize) -> Item {
        Item {
            key: number.to_string().into_bytes(),
            expires: None,
            used: 0,
            fetched: false,
            class: 1,
            size: 64,
            flags: None,
        }
    }

    #[test]
    fn prefixes() {
        assert!(Prefixes::default().cover(b"a"));
        let two = Prefixes(vec!["é".into(), "user:".into()]);
        assert!(two.cover(b"user:1") && two.cover("é".as_bytes()));
        assert!(!two.cover(b"user") && !two.cover(b"xuser:1"));
    }

    #[test]
    fn a_sample_has_its_size_and_no_key_twice() {
        for (room, offered, want) in [(10, 1000, 10), (10, 3, 3), (10, 10, 10)] {
            let mut reservoir = Reservoir::new(room);
            for number in (0..offered).chain(0..offered) {
                reservoir.offer(item(number));
                assert!(reservoir.taken.len() <= room);
            }
            let mut keys: Vec<_> = reservoir.into_items().map(|item| item.key).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), want);
        }
    }

    /// Of 100 items, 10 are taken, 2000 times: each should be taken 200 times, with a standard deviation of 13.4.
    #[test]
    fn a_sample_is_unbiased() {
        let mut taken = [0u32; 100];
        for _ in 0..2000 {
            let mut reservoir = Reservoir::new(10);
            (0..100).for_each(|number| reservoir.offer(item(number)));
            for item in reservoir.into_items() {
                let number: usize = String::from_utf8(item.key).unwrap().parse().unwrap();
                taken[number] += 1;
            }
        }
        // Seven deviations: one of 10 billion runs fails.
        assert!(taken.iter().all(|count| (107..=293).contains(count)), "{taken:?}");
    }
}
