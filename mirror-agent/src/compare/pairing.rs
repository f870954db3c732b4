//! Both servers of a pair: one round of questions about some keys, and all rounds about all.

use std::{
    hash::RandomState,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::Result;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    candidates::{self, Listed},
    item::{Both, Content, Difference, Item},
    pair::Pair,
    rounds::{self, Outcome, Pending},
    tally::Tally,
};
use crate::{
    keys::Prefixes,
    listing::Items,
    memcached::{
        ASKED_AT_ONCE, Connection, Known,
        meta::{self, Hit},
    },
    spool::Spool,
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
    /// Keys in a second.
    pub rate: u32,
    /// How many keys of each difference are kept.
    pub show: usize,
    /// How long a server may be busy or silent.
    pub patience: Duration,
}

/// What came of a pair.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The keys.
    pub tally: Tally,
    /// Some that differ.
    pub examples: Vec<Example>,
    /// What the servers listed.
    pub listed: Listed,
    /// How many items of the old server a client had marked as stale, whose renewal this comparison won.
    pub won: u64,
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
/// Where a server cannot be reached, does not list its items or does not know meta commands.
pub async fn compare(pair: &Pair, options: &Options, progress: &Progress) -> Result<Comparison> {
    match options.sample {
        Some(room) => {
            let (keys, listed) =
                candidates::sample(pair, room, &options.prefixes, options.patience).await?;
            let mut run = Run::new(pair, options, progress).await?;
            for keys in keys.chunks(ASKED_AT_ONCE) {
                run.look_at(keys.to_vec()).await?;
            }
            run.finish(listed).await
        }
        None => {
            let (old, new) = candidates::lists(pair, options.patience).await?;
            let mut run = Run::new(pair, options, progress).await?;
            let listed_old = run.look_at_all(&old, true).await?;
            let listed_new = run.look_at_all(&new, false).await?;
            run.finish([listed_old, listed_new]).await
        }
    }
}

/// A comparison that is under way.
struct Run<'a> {
    pair: &'a Pair,
    options: &'a Options,
    progress: &'a Progress,
    sides: Sides,
    hash: RandomState,
    pending: Vec<(Pending, Instant)>,
    next: Instant,
    found: Comparison,
}

impl<'a> Run<'a> {
    async fn new(pair: &'a Pair, options: &'a Options, progress: &'a Progress) -> Result<Self> {
        Ok(Self {
            pair,
            options,
            progress,
            sides: Sides::open(pair, options.patience).await?,
            hash: RandomState::new(),
            pending: Vec::new(),
            next: Instant::now(),
            found: Comparison {
                tally: Tally::default(),
                examples: Vec::new(),
                listed: Listed::default(),
                won: 0,
            },
        })
    }

    /// All keys of a list; of the new server's only those that the old one does not have, since the others are in its
    /// own list.
    async fn look_at_all(&mut self, list: &Spool, is_old: bool) -> Result<u64> {
        let mut items = Items::new(list, &self.options.prefixes);
        loop {
            let keys: Vec<_> =
                items.next(ASKED_AT_ONCE)?.into_iter().map(|item| item.key).collect();
            if keys.is_empty() {
                break;
            }
            let keys = if is_old { keys } else { self.sides.unknown_to_old(keys).await? };
            self.look_at(keys).await?;
        }
        if items.unreadable > 0 {
            log::warn!("{}: {} lines of a list could not be read", self.pair, items.unreadable);
        }
        Ok(items.seen)
    }

    /// The first look at keys.
    async fn look_at(&mut self, mut keys: Vec<Vec<u8>>) -> Result<()> {
        let all = keys.len();
        keys.retain(|key| meta::can_name(key));
        self.found.tally.count_unreadable((all - keys.len()) as u64);
        self.pace(keys.len()).await;
        let seen = self.look(&keys).await?;
        for (key, seen) in keys.into_iter().zip(seen) {
            match rounds::first(&seen) {
                Some(outcome) => self.found.tally.count(outcome),
                None => self.pending.push((Pending { key, last: seen }, Instant::now())),
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
            // A server may close what is idle.
            self.sides = Sides::open(self.pair, self.options.patience).await?;
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

    async fn finish(mut self, listed: Listed) -> Result<Comparison> {
        self.settle().await?;
        self.found.listed = listed;
        self.found
            .examples
            .sort_by(|one, other| (one.difference, &one.key).cmp(&(other.difference, &other.key)));
        Ok(self.found)
    }

    async fn look(&mut self, keys: &[Vec<u8>]) -> Result<Vec<Both>> {
        let (seen, won) = self.sides.look(keys, &self.hash).await?;
        self.found.won += won;
        Ok(seen)
    }

    /// Waits for as long as so many keys take at the rate that is wanted.
    async fn pace(&mut self, keys: usize) {
        sleep_until(self.next).await;
        let time = Duration::from_secs_f64(keys as f64 / f64::from(self.options.rate));
        self.next = self.next.max(Instant::now()) + time;
    }
}

/// A connection to each server.
struct Sides {
    old: Connection,
    new: Connection,
}

impl Sides {
    async fn open(pair: &Pair, patience: Duration) -> Result<Self> {
        let (old, new) = tokio::try_join!(
            Connection::open(&pair.old, patience),
            Connection::open(&pair.new, patience)
        )?;
        Ok(Self { old, new })
    }

    /// Those keys that the old server does not have. What cannot be asked for is left out: as a rule, its own list has
    /// it, too.
    async fn unknown_to_old(&mut self, mut keys: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
        keys.retain(|key| meta::can_name(key));
        let found = self.old.examine(keys.iter().map(Vec::as_slice)).await?;
        let mut known = found.into_iter().map(|found| found.is_some());
        keys.retain(|_| known.next() == Some(false));
        Ok(keys)
    }

    /// What both servers hold under keys, and how many renewals the old one gave away.
    ///
    /// First they are asked whether they have them, which they do not count: otherwise a new server would count
    /// a miss for each that it lacks. Those that both have are read then.
    async fn look(&mut self, keys: &[Vec<u8>], hash: &RandomState) -> Result<(Vec<Both>, u64)> {
        let names = || keys.iter().map(Vec::as_slice);
        let (old, new) = tokio::try_join!(self.old.examine(names()), self.new.examine(names()))?;
        let on_both: Vec<usize> =
            (0..keys.len()).filter(|at| old[*at].is_some() && new[*at].is_some()).collect();
        let names = || on_both.iter().map(|at| keys[*at].as_slice());
        let (read_old, read_new) =
            tokio::try_join!(self.old.digest(names(), hash), self.new.digest(names(), hash))?;
        let won = read_old.iter().flatten().filter(|(hit, _)| hit.won).count() as u64;

        let known = |found: &Option<Known>| {
            found.map(|Known { unique, size }| Item { unique, content: None, size })
        };
        let mut seen: Vec<Both> = old
            .iter()
            .zip(&new)
            .map(|(old, new)| Both { old: known(old), new: known(new) })
            .collect();
        for ((at, old), new) in on_both.into_iter().zip(read_old).zip(read_new) {
            seen[at] = Both { old: read(old), new: read(new) };
        }
        Ok((seen, won))
    }
}

fn read(found: Option<(Hit, u64)>) -> Option<Item> {
    let (hit, digest) = found?;
    let length = hit.length.unwrap_or_default();
    let content = Content { length, digest, flags: hit.flags, left: hit.left };
    Some(Item { unique: hit.unique.unwrap_or_default(), content: Some(content), size: None })
}
