//! All rounds of questions about all keys of a pair.

use std::{
    hash::RandomState,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::Result;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    candidates::{self, Listed},
    item::{Both, Difference},
    pair::Pair,
    rounds::{self, Outcome, Pending},
    seen::Seen,
    sides::Sides,
    tally::Tally,
};
use crate::{
    inspect::{filter::Prefixes, listing::Items, spool::Spool},
    memcached::ASKED_AT_ONCE,
};

/// Keys that differ are kept until the next round; more than so many at a time go through their rounds first.
const PENDING: usize = 200_000;

/// How a pair is compared.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many keys; `None` for all.
    pub sample: Option<usize>,
    /// Only keys that begin like this.
    pub prefixes: Prefixes,
    /// How often a key that differs is looked at, two at least.
    pub rounds: u32,
    /// Between two looks at it.
    pub wait: Duration,
    /// Keys that each server is asked for in a second.
    pub rate: u32,
    /// Bytes of values that the old server is asked for in a second.
    pub bandwidth: u64,
    /// How many keys of each difference are kept.
    pub show: usize,
    /// Whether servers are asked by `gets`, also those that know meta commands.
    pub by_gets: bool,
    /// How long a server may be busy or silent.
    pub patience: Duration,
}

/// What came of a pair.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// The keys.
    pub tally: Tally,
    /// Some that differ.
    pub examples: Vec<Example>,
    /// What the servers listed.
    pub listed: Listed,
    /// Whether there are more keys than were compared.
    pub is_sample: bool,
    /// How many items a client had marked as stale, whose renewal this comparison won: on the old server, and the new.
    pub won: [u64; 2],
    /// Whether times to live were compared.
    pub has_ttl: bool,
}

/// A key that differs.
#[derive(Clone, Debug)]
pub struct Example {
    /// The key.
    pub key: Vec<u8>,
    /// What differs.
    pub difference: Difference,
    /// Both sides of it.
    pub seen: Both,
}

/// How far all comparisons of a run are.
#[derive(Debug, Default)]
pub struct Progress {
    /// Keys that were looked at.
    pub looked_at: AtomicU64,
    /// Those of them that differ up to now.
    pub differ: AtomicU64,
}

/// Compares a pair.
///
/// # Errors
///
/// Where a server cannot be reached, does not list its items, does not know meta commands, or is started anew
/// meanwhile; and where both servers are one.
pub async fn compare(named: &Pair, options: &Options, progress: &Progress) -> Result<Comparison> {
    let sides = Sides::open(named, options.patience, options.by_gets).await?;
    let pair = sides.pair.clone();
    let found = Comparison { has_ttl: sides.tell_ttl(), ..Comparison::default() };
    let mut run = Run {
        options,
        progress,
        sides,
        hash: RandomState::new(),
        pending: Vec::new(),
        next: Instant::now(),
        found,
    };
    match options.sample {
        Some(room) => {
            let (keys, listed) =
                candidates::sample(&pair, room, &options.prefixes, options.patience).await?;
            run.found.listed = listed;
            // One that has room left holds all.
            run.found.is_sample = keys.len() == room;
            for keys in keys.chunks(ASKED_AT_ONCE) {
                run.pace(keys.len()).await;
                run.look_at(keys.to_vec()).await?;
            }
        }
        None => {
            let [old, new] = candidates::lists(&pair, options.patience).await?;
            let mut seen = Seen::new(run.sides.items());
            let of_old = run.look_at_old(&old, &mut seen).await?;
            let of_new = run.look_at_new(&new, &seen).await?;
            run.found.listed = [of_old, of_new];
        }
    }
    run.settle().await?;
    run.sides.check().await?;
    run.found
        .examples
        .sort_by(|one, other| (one.difference, &one.key).cmp(&(other.difference, &other.key)));
    Ok(run.found)
}

/// A comparison that is under way.
struct Run<'a> {
    options: &'a Options,
    progress: &'a Progress,
    sides: Sides,
    hash: RandomState,
    /// Keys that differ, and when they were looked at.
    pending: Vec<(Pending, Instant)>,
    /// When servers may be asked again.
    next: Instant,
    found: Comparison,
}

impl Run<'_> {
    /// All keys of the old server's list.
    async fn look_at_old(&mut self, list: &Spool, seen: &mut Seen) -> Result<u64> {
        let mut items = Items::new(list, &self.options.prefixes);
        loop {
            let keys = keys_of(&mut items)?;
            if keys.is_empty() {
                break;
            }
            keys.iter().for_each(|key| seen.add(key));
            self.pace(keys.len()).await;
            self.look_at(keys).await?;
        }
        candidates::report(&self.sides.pair.old.to_string(), &items);
        Ok(items.seen)
    }

    /// Those keys of the new server's list that the old one did not list, or does not have.
    async fn look_at_new(&mut self, list: &Spool, seen: &Seen) -> Result<u64> {
        let mut items = Items::new(list, &self.options.prefixes);
        loop {
            let keys = keys_of(&mut items)?;
            if keys.is_empty() {
                break;
            }
            self.pace(keys.len()).await;
            let (listed, mut others): (Vec<_>, _) = keys.into_iter().partition(|key| seen.has(key));
            others.extend(self.sides.unknown_to_old(listed, &self.hash).await?);
            self.look_at(others).await?;
        }
        candidates::report(&self.sides.pair.new.to_string(), &items);
        Ok(items.seen)
    }

    /// The first look at keys.
    async fn look_at(&mut self, mut keys: Vec<Vec<u8>>) -> Result<()> {
        let all = keys.len();
        keys.retain(|key| self.sides.can_name(key));
        self.found.tally.count_unreadable((all - keys.len()) as u64);
        let seen = self.look(&keys).await?;
        for (key, seen) in keys.into_iter().zip(seen) {
            match rounds::first(&seen) {
                Some(outcome) => self.found.tally.count(outcome),
                None => self.pending.push((Pending::new(key, seen), Instant::now())),
            }
        }
        self.progress.looked_at.fetch_add(all as u64, Ordering::Relaxed);
        if self.pending.len() >= PENDING {
            self.settle().await?;
        }
        Ok(())
    }

    /// Goes through the rounds of all keys that differed.
    async fn settle(&mut self) -> Result<()> {
        for round in 2..=self.options.rounds {
            if self.pending.is_empty() {
                break;
            }
            sleep(self.options.wait).await;
            let mut pending = std::mem::take(&mut self.pending);
            for some in pending.chunks_mut(ASKED_AT_ONCE) {
                self.pace(some.len()).await;
                let keys: Vec<_> = some.iter().map(|(pending, _)| pending.key.clone()).collect();
                let seen = self.look(&keys).await?;
                for ((pending, at), seen) in some.iter_mut().zip(seen) {
                    let seconds = std::mem::replace(at, Instant::now()).elapsed().as_secs();
                    match pending.again(seen, seconds, round == self.options.rounds) {
                        Some(outcome) => self.count(pending, outcome),
                        None => self.pending.push((pending.clone(), *at)),
                    }
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, pending: &Pending, outcome: Outcome) {
        self.found.tally.count(outcome);
        let Outcome::Different(difference) = outcome else { return };
        self.progress.differ.fetch_add(1, Ordering::Relaxed);
        let like = self.found.examples.iter().filter(|example| example.difference == difference);
        if like.count() < self.options.show {
            let (key, seen) = (pending.key.clone(), pending.last);
            self.found.examples.push(Example { key, difference, seen });
        }
    }

    async fn look(&mut self, keys: &[Vec<u8>]) -> Result<Vec<Both>> {
        let look = self.sides.look(keys, &self.hash).await?;
        self.found.won.iter_mut().zip(look.won).for_each(|(sum, won)| *sum += won);
        self.owe(look.bytes as f64 / self.options.bandwidth as f64);
        Ok(look.seen)
    }

    /// Waits until servers may be asked for so many keys.
    async fn pace(&mut self, keys: usize) {
        sleep_until(self.next).await;
        self.owe(keys as f64 / f64::from(self.options.rate));
    }

    /// What was asked for takes so many seconds at the rate that is wanted.
    fn owe(&mut self, seconds: f64) {
        self.next = self.next.max(Instant::now()) + Duration::from_secs_f64(seconds);
    }
}

/// The next keys of a list; none at its end.
fn keys_of(items: &mut Items<'_>) -> Result<Vec<Vec<u8>>> {
    Ok(items.next(ASKED_AT_ONCE)?.into_iter().map(|item| item.key).collect())
}
