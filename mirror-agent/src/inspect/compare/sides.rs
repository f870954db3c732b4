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
use crate::memcached::{Connection, Known, Stats, key::Named, meta::Hit};

/// Values that are asked for at once take no more than so many bytes, as long as it is not a single one: answers of both
/// servers are then of one moment, also where one is far away.
const AT_ONCE: u64 = 1 << 20;
/// A connection that was idle for so long may be closed: memcached's `idle_timeout` is one second at least.
const IDLE: Duration = Duration::from_millis(500);

/// The first version whose meta commands are today's (release notes of memcached 1.6.10).
const META: [u32; 3] = [1, 6, 10];

/// Both servers, by the addresses that answered first.
#[derive(Debug)]
pub struct Sides {
    /// These servers.
    pub pair: Pair,
    patience: Duration,
    old: Side,
    new: Side,
    used: Instant,
}

/// A connection to one of them.
#[derive(Debug)]
struct Side {
    connection: Connection,
    /// Whether it is asked by meta commands, or by `gets`.
    is_meta: bool,
    at_first: Stats,
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
    /// Connects to both. `by_gets` has both asked by that, and else those are that do not know meta commands.
    ///
    /// # Errors
    ///
    /// Where one cannot be reached, or both are one.
    pub async fn open(named: &Pair, patience: Duration, by_gets: bool) -> Result<Self> {
        let (old, new) = connect(named, patience).await?;
        let pair = Pair { old: old.peer()?, new: new.peer()? };
        if pair.old == pair.new {
            bail!("{} and {} are the same server, {}", named.old, named.new, pair.old);
        }
        let (old, new) = tokio::try_join!(Side::of(old, by_gets), Side::of(new, by_gets))?;
        Ok(Self { pair, patience, old, new, used: Instant::now() })
    }

    /// How many items the old server said to have at first.
    pub fn items(&self) -> u64 {
        self.old.at_first.items.unwrap_or_default()
    }

    /// Whether both are asked by meta commands, so that they tell times to live.
    pub fn tell_ttl(&self) -> bool {
        self.old.is_meta && self.new.is_meta
    }

    /// Whether both servers can be asked for a key.
    pub fn can_name(&self, key: &[u8]) -> bool {
        match self.tell_ttl() {
            true => Named::meta(key).is_some(),
            false => Named::classic(key).is_some(),
        }
    }

    /// Those keys that the old server does not have. What cannot be asked for is left out.
    ///
    /// # Errors
    ///
    /// Where the old server does not answer.
    pub async fn unknown_to_old(
        &mut self,
        mut keys: Vec<Vec<u8>>,
        hash: &RandomState,
    ) -> Result<Vec<Vec<u8>>> {
        self.refresh().await?;
        keys.retain(|key| self.can_name(key));
        let names: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let found = self.old.find(&names, hash).await?;
        let mut known = found.into_iter().map(|found| found.is_some());
        keys.retain(|_| known.next() == Some(false));
        Ok(keys)
    }

    /// What both servers hold under keys that they can be asked for.
    ///
    /// First they are asked whether they have them, which they do not count: otherwise a new server would count
    /// a miss for each that it lacks. Those that both have are read then.
    ///
    /// # Errors
    ///
    /// Where a server does not answer.
    pub async fn look(&mut self, keys: &[Vec<u8>], hash: &RandomState) -> Result<Look> {
        self.refresh().await?;
        let names: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let (old, new) =
            tokio::try_join!(self.old.find(&names, hash), self.new.find(&names, hash))?;
        let both = old.into_iter().zip(new);
        let seen = both.map(|(old, new)| Both { old, new }).collect();
        let mut look = Look { seen, bytes: 0, won: [0; 2] };
        let size = |item: &Item| item.size.unwrap_or_default();
        let sizes = look.seen.iter().enumerate().filter_map(|(at, Both { old, new })| {
            Some((at, size(old.as_ref()?).max(size(new.as_ref()?))))
        });
        for part in parts(sizes.collect::<Vec<_>>()) {
            let names: Vec<&[u8]> = part.iter().map(|at| names[*at]).collect();
            let (old, new) =
                tokio::try_join!(self.old.read(&names, hash), self.new.read(&names, hash))?;
            for (side, found) in [old, new].into_iter().enumerate() {
                // A side that had read them already keeps that.
                for (at, found) in part.iter().zip(found.into_iter().flatten()) {
                    look.won[side] += u64::from(found.is_some_and(|(hit, _)| hit.won));
                    let seen = &mut look.seen[*at];
                    let item = if side == 0 { &mut seen.old } else { &mut seen.new };
                    *item = found.map(read);
                }
            }
        }
        let lengths = look.seen.iter().filter_map(|seen| Some(seen.old?.content?.length as u64));
        look.bytes = lengths.sum();
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
        for (server, side) in [(&self.pair.old, &mut self.old), (&self.pair.new, &mut self.new)] {
            let (before, now) = (&side.at_first, side.connection.stats().await?);
            if before.process != now.process || before.uptime > now.uptime {
                bail!("{server} was restarted meanwhile");
            }
        }
        Ok(())
    }

    async fn refresh(&mut self) -> Result<()> {
        if self.used.elapsed() >= IDLE {
            let connected = connect(&self.pair, self.patience).await;
            (self.old.connection, self.new.connection) =
                connected.context("one of the servers is gone")?;
        }
        self.used = Instant::now();
        Ok(())
    }
}

impl Side {
    async fn of(mut connection: Connection, by_gets: bool) -> Result<Self> {
        let at_first = connection.stats().await?;
        let is_meta = !by_gets && at_first.version.is_some_and(|version| version >= META);
        Ok(Self { connection, is_meta, at_first })
    }

    /// Which of the keys it has: by meta commands without a look at the values, by `gets` with them.
    async fn find(&mut self, keys: &[&[u8]], hash: &RandomState) -> Result<Vec<Option<Item>>> {
        if self.is_meta {
            let found = self.connection.examine(keys.iter().copied()).await?;
            let known = |Known { unique, size }: Known| Item { unique, content: None, size };
            return Ok(found.into_iter().map(|found| found.map(known)).collect());
        }
        let found = self.connection.digest_by_gets(keys, hash).await?;
        Ok(found.into_iter().map(|found| found.map(read)).collect())
    }

    /// What it holds under keys; `None` where [`Self::find`] has said it all.
    async fn read(
        &mut self,
        keys: &[&[u8]],
        hash: &RandomState,
    ) -> Result<Option<Vec<Option<(Hit, u64)>>>> {
        match self.is_meta {
            true => Ok(Some(self.connection.digest(keys.iter().copied(), hash).await?)),
            false => Ok(None),
        }
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
        // `gets` tells neither.
        marked: hit.left.map(|_| hit.stale),
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
