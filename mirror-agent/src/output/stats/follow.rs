//! `stats --follow`: a line for each attachment and interval.

use super::super::state::State;
use crate::stats::{
    figures::grouped,
    health::words,
    tally::{Tally, value},
};
use mirror_common::abi::DerivedTarget;

/// Names of the columns.
pub const HEADER: &str = "\
TIME      INTERFACE        ROLE    HEALTH      PER SECOND                 LOST LAST MINUTE      IN ALL     WAITING";

/// What is new.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The moment, as a clock shows it.
    pub time: &'a str,
    /// Since the row before.
    pub since: &'a Tally,
    /// For how long, in seconds.
    pub seconds: f64,
    /// In the last minute, or since it began to be watched.
    pub recent: &'a Tally,
}

/// One line.
pub fn row(state: &State, row: Row<'_>) -> String {
    let (_, done) = words(state.role);
    let (total, waiting) = state.detail.as_ref().map_or((0, 0), |detail| {
        (detail.tally().lost(), value(&detail.snapshot.counters, DerivedTarget::Waiting.name()))
    });
    // What is counted fits a number of 53 bits for centuries.
    let rate = (row.since.done as f64 / row.seconds).round() as u64;
    format!(
        "{:<8}  {:<15}  {:<6}  {:<8}  {:>12} {:<9} {:>10} {:>11} {:>11} {:>11}",
        row.time,
        state.interface,
        state.role.name(),
        state.health.level,
        grouped(rate),
        done,
        grouped(row.since.lost()),
        grouped(row.recent.lost()),
        grouped(total),
        grouped(waiting)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::state::tests::{guard, lossy_target, source};

    #[test]
    fn columns_stand_below_each_other() {
        let since = Tally { done: 25_000, losses: vec![("withdrawn", 3)], ..Tally::default() };
        let recent =
            Tally { done: 1_500_000, losses: vec![("withdrawn", 1234)], ..Tally::default() };
        let facts = Row { time: "12:00:01", since: &since, seconds: 2.0, recent: &recent };
        let mut lines = vec![HEADER.to_owned()];
        lines.extend([source(), lossy_target(), guard()].iter().map(|state| row(state, facts)));
        let length = lines[0].len();
        assert!(lines.iter().all(|line| line.len() == length), "{lines:#?}");
        insta::assert_snapshot!(lines.join("\n"));
    }
}
