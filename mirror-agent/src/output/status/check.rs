//! `status --check`: one line for monitoring.
//!
//! The number is what plugins of Nagios and its kin exit with.

use super::super::state::{Detail, State};
use crate::stats::{
    figures::percent_text,
    health::{Level, words},
};

/// What monitoring is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All that is attached is OK.
    Ok,
    /// The worst is DEGRADED.
    Degraded,
    /// The worst is DOWN.
    Down,
    /// Nothing is attached, or has expired; or it cannot be told.
    Unknown,
}

impl Verdict {
    /// Of all that is attached, the worst.
    pub fn of(states: &[State]) -> Self {
        match states.iter().map(|state| state.health.level).max() {
            Some(Level::Ok) => Self::Ok,
            Some(Level::Degraded) => Self::Degraded,
            Some(Level::Down) => Self::Down,
            Some(Level::Expired) | None => Self::Unknown,
        }
    }

    /// What the process ends with.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Degraded => 1,
            Self::Down => 2,
            Self::Unknown => 3,
        }
    }

    /// How the line begins.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Degraded => "DEGRADED",
            Self::Down => "DOWN",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// The line, the worst attachment first.
pub fn line(states: &[State]) -> String {
    let mut states: Vec<&State> = states.iter().collect();
    states.sort_by_key(|state| std::cmp::Reverse(state.health.level));
    let said: Vec<String> = states.iter().map(|state| one(state)).collect();
    match &said[..] {
        [] => "nothing is attached".to_owned(),
        said => said.join("; "),
    }
}

fn one(state: &State) -> String {
    let name = format!("{} {}", state.interface, state.role);
    if !state.health.reasons.is_empty() {
        return format!("{name}: {}", state.health.reasons.join(", "));
    }
    let (unit, done) = words(state.role);
    match state.detail.as_ref().map(Detail::tally) {
        Some(tally) if tally.lost() > 0 => {
            format!("{name}: {} {done}", percent_text(tally.done, tally.due()))
        }
        Some(tally) => format!("{name}: {} {unit} {done}", tally.done),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        output::state::tests::{expired_source, guard, lossy_target, source, without_detail},
        stats::condition::Condition,
    };

    #[test]
    fn the_worst_decides() {
        let dead = without_detail(Condition::OtherVersion);
        for (states, verdict) in [
            (vec![source(), guard()], Verdict::Ok),
            (vec![source(), lossy_target()], Verdict::Degraded),
            (vec![lossy_target(), dead, source()], Verdict::Down),
            (vec![source(), expired_source()], Verdict::Unknown),
            (vec![], Verdict::Unknown),
        ] {
            assert_eq!(Verdict::of(&states), verdict);
            assert!(!line(&states).contains('\n'));
        }
        let codes = [Verdict::Ok, Verdict::Degraded, Verdict::Down, Verdict::Unknown];
        assert_eq!(codes.map(Verdict::code), [0, 1, 2, 3]);
    }

    #[test]
    fn lines() {
        insta::assert_snapshot!(line(&[source(), lossy_target()]));
        assert_eq!(line(&[]), "nothing is attached");
    }
}
