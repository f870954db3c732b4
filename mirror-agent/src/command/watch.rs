//! Watches what is attached, interval by interval: `stats --follow` and `--foreground`.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::survey;
use crate::{
    kernel::{identity::Known, pins::Attachment},
    net::netlink::Network,
    output::{self, FollowRow, State},
    stats::tally::Tally,
};

/// What "the last minute" is.
const RECENT: Duration = Duration::from_secs(60);
/// Everything is looked at anew this often, and the counters in each interval: to count connections takes time.
const LOOK: Duration = Duration::from_secs(60);
/// Rows below which the names of the columns are shown again.
const HEADER_EVERY: usize = 20;

/// What is watched, and what was seen.
#[derive(Debug, Default)]
pub(super) struct Watch {
    watched: Vec<(Known, State)>,
    histories: Vec<History>,
    looked_at: Option<Instant>,
    rows: Option<usize>,
}

impl Watch {
    /// Looks at `found`; returns what is to be shown. At first that is everything, and a row for each of them
    /// then.
    ///
    /// # Errors
    ///
    /// Where the kernel does not say.
    pub(super) async fn look(&mut self, network: &Network, found: Vec<Known>) -> Result<String> {
        let at = Instant::now();
        self.update(network, found, at).await?;
        let time = jiff::Zoned::now().strftime("%H:%M:%S").to_string();
        let mut text = String::new();
        for (known, state) in &mut self.watched {
            let Some(detail) = &state.detail else { continue };
            let total = detail.tally();
            let history = history(&mut self.histories, &known.attachment);
            let (last, recent) = history.add(at, &total);
            survey::judge(state, Some(&recent));
            let Some((since, seconds)) = last else { continue };
            if self.rows.is_some_and(|rows| rows.is_multiple_of(HEADER_EVERY)) {
                text += output::FOLLOW_HEADER;
                text.push('\n');
            }
            self.rows = self.rows.map(|rows| rows + 1);
            let row = FollowRow { time: &time, since: &since, seconds, recent: &recent };
            text += &output::follow_row(state, row);
            text.push('\n');
        }
        if self.rows.is_none() {
            self.rows = Some(0);
            let states: Vec<State> = self.watched.iter().map(|(_, state)| state.clone()).collect();
            text = format!("{}\n", output::stats_text(&states));
        }
        Ok(text)
    }

    async fn update(&mut self, network: &Network, found: Vec<Known>, at: Instant) -> Result<()> {
        let watched = self.watched.iter().map(|(known, _)| &known.attachment);
        let same = watched.eq(found.iter().map(|known| &known.attachment));
        if same && self.looked_at.is_some_and(|looked| at.duration_since(looked) < LOOK) {
            for ((watched, state), found) in self.watched.iter_mut().zip(found) {
                *watched = found;
                survey::refresh(network, watched, state).await?;
            }
            return Ok(());
        }
        self.watched.clear();
        for known in found {
            let state = survey::one(network, &known).await?;
            self.watched.push((known, state));
        }
        self.looked_at = Some(at);
        Ok(())
    }
}

/// What one attachment had done when it was looked at, within the last minute, the oldest first.
#[derive(Debug)]
struct History {
    attachment: Attachment,
    seen: VecDeque<(Instant, Tally)>,
}

impl History {
    /// What happened since the last look, for how many seconds that was, and what happened of late.
    fn add(&mut self, at: Instant, total: &Tally) -> (Option<(Tally, f64)>, Tally) {
        let last = self
            .seen
            .back()
            .map(|(then, tally)| (total.since(tally), at.duration_since(*then).as_secs_f64()));
        // The one before the minute begins stays, to compare with.
        while self.seen.get(1).is_some_and(|(then, _)| at.duration_since(*then) >= RECENT) {
            self.seen.pop_front();
        }
        let recent = self.seen.front().map(|(_, tally)| total.since(tally)).unwrap_or_default();
        self.seen.push_back((at, total.clone()));
        (last, recent)
    }
}

fn history<'a>(histories: &'a mut Vec<History>, attachment: &Attachment) -> &'a mut History {
    // Whatever the interface is called by now.
    let is_same = |history: &History| history.attachment.directory() == attachment.directory();
    let place = histories.iter().position(is_same).unwrap_or_else(|| {
        histories.push(History { attachment: attachment.clone(), seen: VecDeque::new() });
        histories.len() - 1
    });
    &mut histories[place]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::kernel::pins::{Role, Store};

    #[test]
    fn a_minute_is_remembered() {
        let attachment = Store::open(Path::new("/")).unwrap().attachment("eth0", Role::Target);
        let mut history = History { attachment, seen: VecDeque::new() };
        let begin = Instant::now();
        let done = |tally: &Tally| tally.done;
        for second in 0..200 {
            let total = Tally { done: second * 10, ..Tally::default() };
            let (last, recent) = history.add(begin + Duration::from_secs(second), &total);
            assert_eq!(
                last.map(|(since, seconds)| (since.done, seconds)),
                (second > 0).then_some((10, 1.0))
            );
            assert_eq!(done(&recent), second.min(60) * 10, "{second}");
        }
        assert_eq!(history.seen.len(), 61);
    }
}
