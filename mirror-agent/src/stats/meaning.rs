//! What each counter means: those that the programs count, and those that the agent computes of them.

use mirror_common::abi::{
    DerivedMapping, DerivedTarget, GuardCounter, MappingCounter, Meaning, SourceCounter,
    TargetCounter,
};

use crate::kernel::pins::Role;

/// A list of counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Of an interface.
    Of(Role),
    /// Of one map of a source.
    OfMap,
}

impl List {
    /// All.
    pub const ALL: [Self; 4] =
        [Self::Of(Role::Source), Self::OfMap, Self::Of(Role::Target), Self::Of(Role::Guard)];

    /// In output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Of(role) => role.name(),
            Self::OfMap => "map of a source",
        }
    }

    /// What its counters mean, in their order.
    pub fn meanings(self) -> Vec<Meaning> {
        match self {
            Self::Of(Role::Source) => SourceCounter::MEANINGS.to_vec(),
            Self::Of(Role::Target) => {
                [&TargetCounter::MEANINGS[..], &DerivedTarget::MEANINGS].concat()
            }
            Self::Of(Role::Guard) => GuardCounter::MEANINGS.to_vec(),
            Self::OfMap => [&MappingCounter::MEANINGS[..], &DerivedMapping::MEANINGS].concat(),
        }
    }

    /// What the counter `name` means.
    pub fn find(self, name: &str) -> Option<Meaning> {
        self.meanings().into_iter().find(|meaning| meaning.name == name)
    }
}

/// What `name` means, wherever there is a counter by that name.
pub fn find(name: &str) -> Vec<(List, Meaning)> {
    List::ALL.into_iter().filter_map(|list| Some((list, list.find(name)?))).collect()
}

/// Names that somebody may have meant who typed `name`, the nearest first.
pub fn near(name: &str) -> Vec<&'static str> {
    const SHOWN: usize = 5;
    let mut found: Vec<(usize, &'static str)> = Vec::new();
    for meaning in List::ALL.into_iter().flat_map(List::meanings) {
        let contains = meaning.name.contains(name);
        let distance = if contains { 0 } else { distance(name, meaning.name) };
        if distance <= 1 + name.len() / 8
            && name.len() > 2
            && !found.iter().any(|(_, other)| *other == meaning.name)
        {
            found.push((distance, meaning.name));
        }
    }
    found.sort_by_key(|(distance, _)| *distance);
    found.into_iter().take(SHOWN).map(|(_, name)| name).collect()
}

/// How many letters have to be added, taken away or replaced to make `b` of `a` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_each_list() {
        let roles: Vec<_> = find("seen").iter().map(|(list, _)| list.name()).collect();
        assert_eq!(roles, ["source", "guard"]);
        assert_eq!(find("unsent").len(), 1);
        assert!(find("discarded").is_empty());
    }

    #[test]
    fn typos_are_understood() {
        assert_eq!(near("aplied"), ["applied"]);
        assert_eq!(near("discarded_unsinced"), ["discarded_unsynced"]);
        assert!(near("hold").contains(&"discarded_hold_expired"));
        assert!(near("xyzzy").is_empty() && near("").is_empty());
    }

    #[test]
    fn distances() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
