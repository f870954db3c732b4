//! What was done and what was lost, in one number each.
//!
//! A target's tally is in segments: those that memcached was given for good, and those that it should have been given.
//! A source's is in copies: those that left, and those that should have. A packet that a source could not mirror at all
//! counts as one copy. A guard loses nothing.

use mirror_common::abi::{Class, DerivedMapping, MappingCounter, Meaning, TargetCounter, Unit};

use super::{
    meaning::List,
    snapshot::{Snapshot, Values},
};
use crate::kernel::pins::Role;

/// Of all that had to be done, this part may be lost before it is called degraded: one in this many.
pub const TOLERATED: u64 = 1000;

/// How the names of counters of errors begin.
const ERROR: &str = "error_";

/// Why copies did not leave, where that is known.
const UNSENT: [MappingCounter; 3] =
    [MappingCounter::UnsentNoRoute, MappingCounter::UnsentNextHop, MappingCounter::UnsentTooLarge];

/// What was done and what was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Applied, sent, or dropped.
    pub done: u64,
    /// What of it was lost by which counter; none of them is 0, and the largest is first.
    pub losses: Vec<(&'static str, u64)>,
    /// Of a target, what of it memcached answered with errors that the old one did not give, in the same order.
    pub errors: Vec<(&'static str, u64)>,
}

impl Tally {
    /// Of all that `snapshot` counted.
    pub fn of(snapshot: &Snapshot) -> Self {
        let own = List::Of(snapshot.role);
        match snapshot.role {
            Role::Source => {
                let mut losses = losses(&snapshot.counters, own, |_| true);
                let sent = MappingCounter::Sent.name();
                let mut done = 0;
                for (_, values) in &snapshot.maps {
                    done += value(values, sent);
                    for (name, count) in losses_of_map(values) {
                        add(&mut losses, name, count);
                    }
                }
                Self::new(done, losses)
            }
            Role::Target => {
                let losses = losses(&snapshot.counters, own, |unit| unit == Unit::Segments);
                // It was applied first, and taken back then.
                let withdrawn = value(&snapshot.counters, TargetCounter::Withdrawn.name());
                let applied = value(&snapshot.counters, TargetCounter::Applied.name());
                let errors = self::losses(&snapshot.counters, own, |unit| unit == Unit::Packets);
                let errors = errors.into_iter().filter(|(name, _)| name.starts_with(ERROR));
                Self {
                    errors: sorted(errors.collect()),
                    ..Self::new(applied.saturating_sub(withdrawn), losses)
                }
            }
            Role::Guard => {
                let dropped = |meaning: &Meaning| meaning.class == Class::Delivered;
                let names = own.meanings().into_iter().filter(dropped);
                Self::new(names.map(|name| value(&snapshot.counters, name.name)).sum(), vec![])
            }
        }
    }

    /// Of one map of a source.
    pub fn of_map(values: &Values) -> Self {
        let losses = losses_of_map(values);
        Self::new(value(values, MappingCounter::Sent.name()), losses)
    }

    fn new(done: u64, losses: Vec<(&'static str, u64)>) -> Self {
        Self { done, losses: sorted(losses), errors: Vec::new() }
    }

    /// How much was lost.
    pub fn lost(&self) -> u64 {
        self.losses.iter().map(|(_, count)| count).sum()
    }

    /// How much had to be done.
    pub fn due(&self) -> u64 {
        self.done + self.lost()
    }

    /// How much was answered with errors.
    pub fn refused(&self) -> u64 {
        self.errors.iter().map(|(_, count)| count).sum()
    }

    /// Whether more was answered with errors than is tolerated.
    pub fn is_refused(&self) -> bool {
        self.refused().saturating_mul(TOLERATED) > self.due()
    }

    /// Whether more was lost than is tolerated.
    pub fn is_degraded(&self) -> bool {
        self.lost().saturating_mul(TOLERATED) > self.due()
    }

    /// What has happened since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            errors: sorted(more(&self.errors, &earlier.errors)),
            ..Self::new(self.done.saturating_sub(earlier.done), more(&self.losses, &earlier.losses))
        }
    }
}

/// What each count has more than before.
fn more(now: &[(&'static str, u64)], earlier: &[(&'static str, u64)]) -> Vec<(&'static str, u64)> {
    let before = |name| earlier.iter().find(|(other, _)| *other == name);
    now.iter()
        .map(|(name, count)| {
            (*name, count.saturating_sub(before(*name).map_or(0, |(_, count)| *count)))
        })
        .collect()
}

/// Those that are not 0, the largest first.
fn sorted(mut counts: Vec<(&'static str, u64)>) -> Vec<(&'static str, u64)> {
    counts.retain(|(_, count)| *count > 0);
    counts.sort_by_key(|(name, count)| (u64::MAX - count, *name));
    counts
}

/// The counter `name`.
pub fn value(values: &Values, name: &str) -> u64 {
    values.iter().find(|(other, _)| *other == name).map_or(0, |(_, count)| *count)
}

/// All that `list` calls lost, in units that are `wanted`.
fn losses(values: &Values, list: List, wanted: fn(Unit) -> bool) -> Vec<(&'static str, u64)> {
    list.meanings()
        .into_iter()
        .filter(|meaning| meaning.class == Class::Lost && wanted(meaning.unit))
        .map(|meaning| (meaning.name, value(values, meaning.name)))
        .collect()
}

/// What was lost of one map; of what is unsent, why, where that is known.
fn losses_of_map(values: &Values) -> Vec<(&'static str, u64)> {
    let mut losses = losses(values, List::OfMap, |unit| unit == Unit::Copies);
    let reasons = UNSENT.map(|reason| (reason.name(), value(values, reason.name())));
    let known: u64 = reasons.iter().map(|(_, count)| count).sum();
    if let Some((_, unsent)) =
        losses.iter_mut().find(|(name, _)| *name == DerivedMapping::Unsent.name())
    {
        *unsent = unsent.saturating_sub(known);
        losses.extend(reasons);
    }
    losses
}

fn add(losses: &mut Vec<(&'static str, u64)>, name: &'static str, count: u64) {
    match losses.iter_mut().find(|(other, _)| *other == name) {
        Some((_, sum)) => *sum += count,
        None => losses.push((name, count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::snapshot::tests::snapshot;

    #[test]
    fn what_is_unsent_has_reasons() {
        let values = vec![
            ("copies", 30),
            ("sent", 3),
            ("unsent_no_route", 5),
            ("unsent_next_hop", 12),
            ("unsent", 27),
        ];
        let tally = Tally::of_map(&values);
        assert_eq!((tally.done, tally.lost()), (3, 27));
        let losses = [("unsent_next_hop", 12), ("unsent", 10), ("unsent_no_route", 5)];
        assert_eq!(tally.losses, losses);
    }

    #[test]
    fn a_target_loses_what_it_withdraws() {
        let target = snapshot(
            Role::Target,
            &[
                ("arrived", 1000),
                ("applied", 900),
                ("withdrawn", 7),
                ("discarded_unsynced", 60),
                ("discarded_pure_ack", 40),
                ("desynced", 2),
            ],
        );
        let tally = Tally::of(&target);
        assert_eq!((tally.done, tally.lost(), tally.due()), (893, 67, 960));
        assert_eq!(tally.losses, [("discarded_unsynced", 60), ("withdrawn", 7)]);
    }

    #[test]
    fn a_source_loses_what_it_cannot_mirror_and_what_does_not_leave() {
        let mut source = snapshot(
            Role::Source,
            &[("seen", 500), ("mirrored", 100), ("failed_clone", 2), ("skipped_port", 300)],
        );
        let values = |all: &[(&'static str, u64)]| all.to_vec();
        source.maps = vec![
            (
                "11211=10.0.0.5:11211".parse().unwrap(),
                values(&[("copies", 100), ("sent", 97), ("failed_clone", 3)]),
            ),
            ("11211=10.0.0.6:11211".parse().unwrap(), values(&[("copies", 100), ("unsent", 100)])),
        ];
        let tally = Tally::of(&source);
        assert_eq!((tally.done, tally.lost()), (97, 105));
        assert_eq!(tally.losses, [("unsent", 100), ("failed_clone", 5)]);
    }

    #[test]
    fn one_in_a_thousand_is_tolerated() {
        let tally = |done, lost| Tally::new(done, vec![("unsent", lost)]);
        assert!(!tally(999, 1).is_degraded());
        assert!(tally(998, 1).is_degraded());
        assert!(!tally(0, 0).is_degraded());
    }

    #[test]
    fn differences() {
        let earlier = Tally::new(10, vec![("unsent", 3)]);
        let later = Tally::new(25, vec![("unsent", 3), ("failed_clone", 1)]);
        assert_eq!(later.since(&earlier), Tally::new(15, vec![("failed_clone", 1)]));
        assert_eq!(earlier.since(&later), Tally::default(), "of one that was attached anew");
    }
}
