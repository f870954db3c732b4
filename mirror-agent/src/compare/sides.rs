//! The connections to both servers of a pair, and what they are asked.

use std::{
    hash::RandomState,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{
    item::{Both, Content, Item},
    pair::Pair,
};
use crate::memcached::{
    Connection, Known, Stats,
    meta::{self, Hit},
};

/// Values that are asked for at once take no more than so many bytes, as long as it is not a single one: answers of both
/// servers are then of one moment, also where one is far away.
const AT_ONCE: u64 = 1 << 20;
/// A connection that was idle for so long may be closed: memcached's `idle_timeout` is one second at least.
const IDLE: Duration = Duration::from_millis(500);

/// A connection to each server, by the address that answered first.
#[derive(Debug)]
pub struct Sides {
    /// These servers, by their addresses.
    pub pair: Pair,
    patience: Duration,
    old: Connection,
    new: Connection,
    used: Instant,
    started: [Stats; 2],
}

/// What one round of questions found.
#[derive(Debug)]
pub struct Look {
    /// What both servers hold, in the order of the keys.
    pub seen: Vec<Both>,
    /// Bytes of values that the old server sent.
    pub bytes: u64,
    /// Items that a client had marked as stale, whose renewal these questions won: on the old server, and the new.
    pub won: [u64; 2],
}

impl Sides {
    /// Connects to both.
    ///
    /// # Errors
    ///
    /// Where one cannot be reached, or both are one.
    pub async fn open(named: &Pair, patience: Duration) -> Result<Self> {
        let (mut old, mut new) = connect(named, patience).await?;
        let pair = Pair { old: old.peer()?, new: new.peer()? };
        if pair.old == pair.new {
            bail!("{} and {} are the same server, {}", named.old, named.new, pair.old);
        }
        let (of_old, of_new) = tokio::try_join!(old.stats(), new.stats())?;
        Ok(Self { pair, patience, old, new, used: Instant::now(), started: [of_old, of_new] })
    }

    /// Those keys that the old server does not have. What text cannot name is left out: as a rule, its own list
    /// has it, too.
    ///
    /// # Errors
    ///
    /// Where the old server does not know meta commands.
    pub async fn unknown_to_old(&mut self, mut keys: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
        self.refresh().await?;
        keys.retain(|key| meta::can_name(key));
        let found = self.old.examine(keys.iter().map(Vec::as_slice)).await?;
        let mut known = found.into_iter().map(|found| found.is_some());
        keys.retain(|_| known.next() == Some(false));
        Ok(keys)
    }

    /// What both servers hold under keys.
    ///
    /// First they are asked whether they have them, which they do not count: otherwise a new server would count
    /// a miss for each that it lacks. Those that both have are read then.
    ///
    /// # Errors
    ///
    /// Where a server does not know meta commands.
    pub async fn look(&mut self, keys: &[Vec<u8>], hash: &RandomState) -> Result<Look> {
        self.refresh().await?;
        let names = || keys.iter().map(Vec::as_slice);
        let (old, new) = tokio::try_join!(self.old.examine(names()), self.new.examine(names()))?;
        let known = |found: &Option<Known>| {
            found.map(|Known { unique, size }| Item { unique, content: None, size })
        };
        let both = old.iter().zip(&new);
        let seen = both.map(|(old, new)| Both { old: known(old), new: known(new) }).collect();
        let mut look = Look { seen, bytes: 0, won: [0; 2] };
        let on_both = (0..keys.len()).filter_map(|at| {
            let size = |known: Option<Known>| known.map(|known| known.size.unwrap_or_default());
            Some((at, size(old[at])?.max(size(new[at])?)))
        });
        for part in parts(on_both) {
            let names = || part.iter().map(|at| keys[*at].as_slice());
            let (old, new) =
                tokio::try_join!(self.old.digest(names(), hash), self.new.digest(names(), hash))?;
            for ((at, old), new) in part.into_iter().zip(old).zip(new) {
                for (won, found) in look.won.iter_mut().zip([&old, &new]) {
                    *won += u64::from(found.is_some_and(|(hit, _)| hit.won));
                }
                look.bytes += old.and_then(|(hit, _)| hit.length).unwrap_or_default() as u64;
                look.seen[at] = Both { old: old.map(read), new: new.map(read) };
            }
        }
        self.used = Instant::now();
        Ok(look)
    }

    /// Checks that both servers are the processes that they were: one that was started anew holds nothing of before, and
    /// numbers its items as if they were others.
    ///
    /// # Errors
    ///
    /// Where one is not.
    pub async fn check(&mut self) -> Result<()> {
        self.refresh().await?;
        let now = tokio::try_join!(self.old.stats(), self.new.stats())?;
        let servers = [&self.pair.old, &self.pair.new];
        for ((server, before), now) in servers.into_iter().zip(&self.started).zip([now.0, now.1]) {
            if before.process != now.process || before.uptime > now.uptime {
                bail!("{server} was restarted meanwhile");
            }
        }
        Ok(())
    }

    async fn refresh(&mut self) -> Result<()> {
        if self.used.elapsed() >= IDLE {
            let connected = connect(&self.pair, self.patience).await;
            (self.old, self.new) = connected.context("one of the servers is gone")?;
        }
        self.used = Instant::now();
        Ok(())
    }
}

async fn connect(pair: &Pair, patience: Duration) -> Result<(Connection, Connection)> {
    tokio::try_join!(Connection::open(&pair.old, patience), Connection::open(&pair.new, patience))
}

fn read((hit, digest): (Hit, u64)) -> Item {
    let content = Content {
        length: hit.length.unwrap_or_default(),
        digest,
        flags: hit.flags,
        marked: hit.stale,
        left: hit.left,
    };
    Item { unique: hit.unique.unwrap_or_default(), content: Some(content), size: None }
}

/// Cuts positions with sizes into parts that are not too large.
fn parts(sizes: impl IntoIterator<Item = (usize, u64)>) -> Vec<Vec<usize>> {
    let (mut parts, mut room) = (Vec::<Vec<usize>>::new(), 0);
    for (at, size) in sizes {
        match parts.last_mut() {
            Some(part) if size <= room => {
                part.push(at);
                room -= size;
            }
            _ => {
                parts.push(vec![at]);
                room = AT_ONCE.saturating_sub(size);
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_small_and_all() {
        let of = |sizes: &[u64]| parts(sizes.iter().copied().enumerate());
        assert_eq!(of(&[]), Vec::<Vec<usize>>::new());
        assert_eq!(of(&[1, 2, 3]), [[0, 1, 2]]);
        assert_eq!(of(&[AT_ONCE, 1, AT_ONCE - 1, 1]), [vec![0], vec![1, 2], vec![3]]);
        assert_eq!(of(&[5 * AT_ONCE, 5 * AT_ONCE]), [[0], [1]]);
        assert_eq!(of(&[0; 96]).concat(), (0..96).collect::<Vec<_>>());
    }
}
