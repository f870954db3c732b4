//! The verdict: does the mirror do what it is there for?
//!
//! | verdict | when |
//! |---|---|
//! | OK | it works, and of all that had to be mirrored at most 1 in 1,000 was lost |
//! | EXPIRED | the deadline of a source has passed, as was wanted: nothing is mirrored any more |
//! | DEGRADED | it works, and more than that was lost: since it was attached, or in the last minute that `--follow` has seen; or memcached answers more than 1 in 1,000 with errors that the old one does not give; or nothing listens at a port that is served; or most packets for a source's maps find no socket on its host |
//! | DOWN | nothing is mirrored: the interface is gone or down, here or in another network namespace; the attachment is half made, or another version's; none of a source's copies leaves the host; memcached is not there and copies arrive; or an answer of the new host reached a client |
//!
//! Silence is not a fault: a source that sees no packet for its maps, and a target at which no copy arrives, are OK.
//! `docs/counters.md` says the same to operators.

use std::fmt;

use mirror_common::abi::DerivedMapping;

use super::{
    condition::Condition,
    figures::{grouped, listed, percent_text},
    tally::Tally,
};
use crate::{config::ports::PortRange, kernel::pins::Role};

/// How well it goes, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It works.
    Ok,
    /// It ended, as was wanted.
    Expired,
    /// It works, and too much is lost.
    Degraded,
    /// It does not work.
    Down,
}

impl Level {
    /// In text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Expired => "EXPIRED",
            Self::Degraded => "DEGRADED",
            Self::Down => "DOWN",
        }
    }

    /// In JSON.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Expired => "expired",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A verdict, and why it is not better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// How well it goes.
    pub level: Level,
    /// Why not better; empty where it is OK.
    pub reasons: Vec<String>,
}

impl Health {
    /// Nothing is wrong.
    pub const OK: Self = Self { level: Level::Ok, reasons: Vec::new() };

    fn add(&mut self, level: Level, reason: String) {
        self.level = self.level.max(level);
        self.reasons.push(reason);
    }
}

/// What a verdict is made of.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Which programs.
    pub role: Role,
    /// Whether they can work at all.
    pub condition: Condition,
    /// All since it was attached.
    pub total: &'a Tally,
    /// What is new since a minute ago, where that is known.
    pub recent: Option<&'a Tally>,
    /// How many ports a target serves.
    pub served: usize,
    /// Those of them at which nothing listens, and that have no connections.
    pub silent: &'a [u16],
    /// Of a source, packets for its maps that it left out since no socket of its host takes them, and those that it
    /// mirrored.
    pub no_socket: [u64; 2],
    /// Whether a target opens no connection, as a client of production got an answer of its host.
    pub leaked: bool,
}

/// Packets that say something about all others.
const MANY: u64 = 100;

/// What a role counts, and what it says when it is done.
pub const fn words(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Source => ("copies", "sent"),
        Role::Target => ("segments", "applied"),
        Role::Guard => ("packets", "dropped"),
    }
}

/// The verdict.
pub fn judge(facts: Facts<'_>) -> Health {
    let mut health = Health::OK;
    let level = match facts.condition {
        Condition::Running | Condition::OtherNamespace => Level::Ok,
        Condition::Expired => Level::Expired,
        Condition::InterfaceDown
        | Condition::InterfaceGone
        | Condition::CopyDeviceGone
        | Condition::Incomplete
        | Condition::OtherVersion
        | Condition::EndedElsewhere => Level::Down,
    };
    if let Some(advice) = facts.condition.advice() {
        health.add(level, advice.to_owned());
    }
    if !facts.condition.works() {
        return health;
    }
    if !facts.silent.is_empty() {
        let all = facts.silent.len() == facts.served && facts.total.due() > 0;
        let level = if all { Level::Down } else { Level::Degraded };
        health.add(level, format!("nothing listens at port {}", PortRange::join(facts.silent)));
    }
    if facts.leaked {
        let reason = "answers reach clients of production by an interface without the mirror's program, so that no \
                      connection is opened any more; run drop again where all interfaces are up, or see what sends them";
        health.add(Level::Down, reason.to_owned());
    }
    let [left_out, mirrored] = facts.no_socket;
    if left_out >= MANY && left_out > mirrored {
        let reason = format!(
            "no socket of this host takes {} packets, {} were mirrored: memcached is not there, or in a container, or \
             this host only passes packets on (attach --forwarded)",
            grouped(left_out),
            grouped(mirrored)
        );
        health.add(Level::Degraded, reason);
    }
    let windows = [("", Some(facts.total)), ("in the last minute: ", facts.recent)];
    for (when, tally) in windows.into_iter().filter_map(|(when, tally)| Some((when, tally?))) {
        if facts.role == Role::Source && none_leaves(tally) {
            let copies = grouped(tally.lost());
            let why = listed(&tally.losses);
            let reason = format!("{when}none of {copies} copies left this host: {why}");
            health.add(Level::Down, reason);
        } else if tally.is_degraded() {
            let (unit, _) = words(facts.role);
            let reason = format!(
                "{when}lost {} of {} {unit} ({}): {}",
                grouped(tally.lost()),
                grouped(tally.due()),
                percent_text(tally.lost(), tally.due()),
                listed(&tally.losses)
            );
            health.add(Level::Degraded, reason);
        }
        if tally.is_refused() {
            let reason = format!(
                "{when}memcached answers {} requests with errors: {}",
                grouped(tally.refused()),
                listed(&tally.errors)
            );
            health.add(Level::Degraded, reason);
        }
    }
    health
}

fn none_leaves(tally: &Tally) -> bool {
    let unsent = DerivedMapping::Unsent.name();
    tally.done == 0 && tally.losses.iter().any(|(name, _)| name.starts_with(unsent))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(done: u64, losses: &[(&'static str, u64)]) -> Tally {
        Tally { done, losses: losses.to_vec(), errors: vec![] }
    }

    #[test]
    fn what_memcached_refuses_is_not_done() {
        let refused =
            |count| Tally { errors: vec![("error_out_of_memory", count)], ..tally(9000, &[]) };
        assert_eq!(judge(facts(Role::Target, &refused(9))), Health::OK);
        let health = judge(facts(Role::Target, &refused(1234)));
        assert_eq!(health.level, Level::Degraded);
        assert_eq!(
            health.reasons,
            ["memcached answers 1,234 requests with errors: out of memory 1,234"]
        );
    }

    fn facts<'a>(role: Role, total: &'a Tally) -> Facts<'a> {
        Facts {
            role,
            condition: Condition::Running,
            total,
            recent: None,
            served: 1,
            silent: &[],
            no_socket: [0; 2],
            leaked: false,
        }
    }

    #[test]
    fn silence_is_ok() {
        for role in Role::ALL {
            assert_eq!(judge(facts(role, &Tally::default())), Health::OK);
        }
    }

    #[test]
    fn one_in_a_thousand_is_ok_and_more_is_not() {
        let healthy = tally(9999, &[("discarded_unsynced", 10)]);
        assert_eq!(judge(facts(Role::Target, &healthy)), Health::OK);
        let lossy = tally(9979, &[("discarded_unsynced", 20), ("withdrawn", 1)]);
        let health = judge(facts(Role::Target, &lossy));
        assert_eq!(health.level, Level::Degraded);
        assert_eq!(
            health.reasons,
            ["lost 21 of 10,000 segments (0.21 %): unsynced 20, withdrawn 1"]
        );
    }

    #[test]
    fn packets_that_nobody_takes_are_no_ones_clients() {
        let total = tally(5, &[]);
        let level = |no_socket| judge(Facts { no_socket, ..facts(Role::Source, &total) }).level;
        assert_eq!(level([99, 0]), Level::Ok, "too few to tell");
        assert_eq!(level([100, 100]), Level::Ok, "of a memcached that was away for a while");
        assert_eq!(level([101, 100]), Level::Degraded);
    }

    #[test]
    fn the_last_minute_counts_by_itself() {
        let total = tally(1_000_000, &[("discarded_hold_expired", 5)]);
        let recent = tally(1000, &[("discarded_hold_expired", 5)]);
        let health = judge(Facts { recent: Some(&recent), ..facts(Role::Target, &total) });
        assert_eq!(health.level, Level::Degraded);
        assert_eq!(health.reasons.len(), 1);
        assert!(health.reasons[0].starts_with("in the last minute: lost 5 of 1,005"));
    }

    #[test]
    fn a_source_of_which_nothing_leaves_is_down() {
        let none = tally(0, &[("unsent", 7)]);
        let health = judge(facts(Role::Source, &none));
        assert_eq!(health.level, Level::Down);
        let some = tally(1, &[("unsent", 7)]);
        assert_eq!(judge(facts(Role::Source, &some)).level, Level::Degraded);
        // What cannot be mirrored says nothing of the way to the target.
        let multipath = tally(0, &[("skipped_mptcp", 7)]);
        assert_eq!(judge(facts(Role::Source, &multipath)).level, Level::Degraded);
    }

    #[test]
    fn a_port_without_a_server() {
        let (idle, busy) = (Tally::default(), tally(5, &[]));
        let of =
            |total, served| judge(Facts { served, silent: &[11211], ..facts(Role::Target, total) });
        assert_eq!(of(&idle, 1).level, Level::Degraded, "it may be started yet");
        assert_eq!(of(&busy, 1).level, Level::Down);
        assert_eq!(of(&busy, 2).level, Level::Degraded, "the other port has one");
        assert_eq!(of(&busy, 1).reasons, ["nothing listens at port 11211"]);
    }

    #[test]
    fn conditions() {
        let total = tally(5, &[("unsent", 100)]);
        for (condition, level) in [
            (Condition::Expired, Level::Expired),
            (Condition::InterfaceDown, Level::Down),
            (Condition::InterfaceGone, Level::Down),
            (Condition::Incomplete, Level::Down),
            (Condition::OtherVersion, Level::Down),
            (Condition::EndedElsewhere, Level::Down),
        ] {
            let health = judge(Facts { condition, ..facts(Role::Source, &total) });
            assert_eq!(health.level, level);
            assert_eq!(health.reasons, [condition.advice().unwrap()]);
        }
    }

    #[test]
    fn counters_of_another_namespace_tell() {
        let condition = Condition::OtherNamespace;
        for (total, level) in
            [(tally(5, &[]), Level::Ok), (tally(5, &[("unsent", 7)]), Level::Degraded)]
        {
            assert_eq!(judge(Facts { condition, ..facts(Role::Source, &total) }).level, level);
        }
    }
}
