//! What a source copies of that which its maps take.

use std::time::Duration;

use super::text::format_duration;
use crate::{
    config::{
        clients::Cidr,
        multiply::Multiply,
        rate::Limits,
        sample::{Sample, SampleBy},
        selection::Selection,
    },
    kernel::clock::Now,
};

/// Prefixes that a table shows of each kind; JSON has all.
const SHOWN: usize = 8;

/// What was chosen, and what is left of it.
#[derive(Clone, Debug)]
pub struct SelectionState {
    /// Clients that are copied; none for all that are not excluded.
    pub clients: Vec<Cidr>,
    /// Clients that are not.
    pub excluded: Vec<Cidr>,
    /// Share of connections.
    pub sample: Sample,
    /// What the share takes as a whole.
    pub sample_by: SampleBy,
    /// How often each connection is copied.
    pub copies: Multiply,
    /// How much each target is sent.
    pub limits: Limits,
    /// Until when; `None` for good.
    pub deadline: Option<Deadline>,
    /// Whether all is counted and nothing sent.
    pub dry_run: bool,
}

/// The end of `--for` or `--until`.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// On the wall clock, as it is now, in seconds since the epoch.
    pub at: u64,
    /// Until then, in seconds, rounded up; 0 when it is over.
    pub left: u64,
    /// Since then, in seconds.
    pub over_for: u64,
}

impl SelectionState {
    /// At this moment.
    pub fn of(selection: &Selection, now: Now) -> Self {
        Self {
            clients: selection.clients.included(),
            excluded: selection.clients.excluded(),
            sample: selection.sample(),
            sample_by: selection.sample_by(),
            copies: selection.multiply(),
            limits: selection.limits(),
            deadline: selection.deadline().map(|end| Deadline::new(end, now.since_boot, now.wall)),
            dry_run: selection.dry_run(),
        }
    }

    /// What is not as it would be without any option, a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.lines_but_deadline();
        lines.extend(self.deadline.map(|deadline| match deadline.left {
            0 => deadline.text(),
            _ => format!("for {} more", deadline.text()),
        }));
        lines
    }

    /// The same without the deadline.
    pub fn lines_but_deadline(&self) -> Vec<String> {
        let mut lines = prefixes("only clients of", &self.clients);
        lines.extend(prefixes("no clients of", &self.excluded));
        if self.sample != Sample::ALL {
            lines.push(match self.sample_by {
                SampleBy::Connection => format!("{} of all connections", self.sample),
                SampleBy::ClientAddress => {
                    format!("{} of all clients, by address", self.sample)
                }
            });
        }
        let Multiply { count, pools } = &self.copies;
        if *count > 1 {
            lines.push(format!("each connection {count} times"));
        }
        lines.extend(pools.iter().map(|pool| format!("extra copies from {pool}")));
        let rates = self.limits.rates();
        lines.extend(rates.iter().map(|rate| format!("no more than {rate} to each target")));
        if self.dry_run {
            lines.push("dry run: counts, and sends nothing".to_owned());
        }
        lines
    }
}

impl Deadline {
    /// How long it is until then, or since then.
    pub fn text(&self) -> String {
        match self.left {
            0 => format!("expired {} ago", format_duration(self.over_for)),
            left => format_duration(left),
        }
    }

    /// `end` and `now` in ns since boot; `wall` is the same moment as `now`, since the epoch.
    fn new(end: u64, now: u64, wall: Duration) -> Self {
        let (left, over) = (end.saturating_sub(now), now.saturating_sub(end));
        let at = wall + Duration::from_nanos(left);
        let at = at.saturating_sub(Duration::from_nanos(over));
        Self {
            // Whole seconds, of clocks that are read one after the other.
            at: (at + Duration::from_millis(500)).as_secs(),
            left: left.div_ceil(1_000_000_000),
            over_for: Duration::from_nanos(over).as_secs(),
        }
    }
}

fn prefixes(what: &str, all: &[Cidr]) -> Vec<String> {
    let mut lines: Vec<String> =
        all.iter().take(SHOWN).map(|prefix| format!("{what} {prefix}")).collect();
    if all.len() > SHOWN {
        lines.push(format!("{what} {} more prefixes (status --json)", all.len() - SHOWN));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_before_and_after() {
        const SECOND: u64 = 1_000_000_000;
        let wall = Duration::from_secs(1_700_000_000);
        let ending = |end| {
            let ending = Deadline::new(end, 1000 * SECOND, wall);
            (ending.at, ending.left, ending.over_for)
        };
        assert_eq!(ending(1090 * SECOND), (1_700_000_090, 90, 0));
        assert_eq!(ending(1000 * SECOND + 1), (1_700_000_000, 1, 0), "not over");
        assert_eq!(ending(1000 * SECOND), (1_700_000_000, 0, 0), "over");
        assert_eq!(ending(940 * SECOND), (1_699_999_940, 0, 60));
    }

    #[test]
    fn many_prefixes_are_not_all_shown() {
        let all: Vec<Cidr> = (0..100).map(|n| format!("10.0.{n}.0/24").parse().unwrap()).collect();
        let lines = prefixes("only clients of", &all);
        assert_eq!(lines[0], "only clients of 10.0.0.0/24");
        assert_eq!(lines.len(), SHOWN + 1);
        assert_eq!(lines[SHOWN], "only clients of 92 more prefixes (status --json)");
        assert_eq!(prefixes("no clients of", &all[..SHOWN]).len(), SHOWN);
    }
}
