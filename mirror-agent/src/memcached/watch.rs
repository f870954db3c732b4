//! What happens to items, as it happens: `watch` (protocol.txt, "Watchers").
//!
//! The connection is the watcher's from then on. Who reads too slowly misses events, and is told how many; a worker
//! thread that is busy drops some, and only `stats` tells how many (`log_worker_dropped`).

use std::time::Duration;

use super::{refusal::Refusal, ttl::Ttl, uri};

/// Asks for all events. Understood from 1.6.20 on; refused before.
pub const REQUEST: &[u8] = b"watch fetchers mutations evictions deletions\r\n";
/// Asks for all events but deletions.
pub const WITHOUT_DELETIONS: &[u8] = b"watch fetchers mutations evictions\r\n";

/// A line of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// The first line.
    Begin,
    /// Something happened to an item.
    Event(Event),
    /// Something that has to do with none: a connection, or the server's own housekeeping.
    Unrelated,
    /// So many events were left out here, since this watcher was too slow.
    Skipped(u64),
    /// Anything else: a refusal where it is the first line.
    Refused(Refusal<'a>),
}

/// Something that happened to an item, or to a key that has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, since the epoch, by the server's clock.
    pub at: Duration,
    /// Its number among all events of the server. Each thread tells its own in order, and they are mixed.
    pub number: u64,
    /// The key, decoded.
    pub key: Vec<u8>,
    /// Its slab class; 0 where there is no item.
    pub class: u32,
    /// Bytes of the value, which memcached tells from 1.6.11 on.
    pub size: Option<u64>,
    /// What it was.
    pub what: What,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An item was looked for: by a client that asked for it, or because one stores, deletes or changes it.
    Sought {
        /// With this result.
        result: Sought,
        /// The client's file descriptor, which memcached tells from 1.5.17 on.
        client: Option<i32>,
    },
    /// A client stored an item, or tried.
    Stored {
        /// With this result.
        result: Stored,
        /// With this command; meta commands have the names of classic ones that do the same.
        command: Command,
        /// What it has to live. Means nothing where it was [`Stored::TooLarge`] or [`Stored::NoMemory`], and neither
        /// does `client`.
        ttl: Ttl,
        /// The client's file descriptor, which memcached tells from 1.5.17 on.
        client: Option<i32>,
    },
    /// An item that was alive went to make room.
    Evicted {
        /// Whether it was read since it was stored.
        fetched: bool,
        /// What it had to live.
        ttl: Ttl,
        /// Seconds since the last access that memcached took down. It does not take down all of them.
        idle: u64,
    },
    /// A client deleted an item that was there.
    Deleted,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// An item.
    Found,
    /// None.
    NotFound,
    /// One from before a `flush_all`.
    Flushed,
    /// One whose time was over.
    Expired,
    /// Something that this program does not know.
    Other,
}

/// How storing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is there.
    Stored,
    /// Not, since there was an item, or none.
    NotStored,
    /// Not, since the item has another unique number.
    Exists,
    /// Not, since there is no item to compare with.
    NotFound,
    /// Not, and what was there is gone.
    TooLarge,
    /// Not, and what was there is gone.
    NoMemory,
    /// Something that this program does not know.
    Other,
}

/// Which command stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `set`.
    Set,
    /// `add`.
    Add,
    /// `replace`.
    Replace,
    /// `append`.
    Append,
    /// `prepend`.
    Prepend,
    /// `cas`, and whatever compares unique numbers.
    Cas,
    /// One that this program does not know.
    Other,
}

impl<'a> Line<'a> {
    /// Of a line without its end.
    pub fn parse(line: &'a [u8]) -> Self {
        match line {
            b"OK" => Self::Begin,
            _ => Self::skipped(line)
                .or_else(|| Self::happened(line))
                .unwrap_or_else(|| Self::Refused(Refusal::parse(line))),
        }
    }

    fn skipped(line: &[u8]) -> Option<Self> {
        Some(Self::Skipped(number(line.strip_prefix(b"skipped=")?)?))
    }

    /// Of `ts=… gid=… type=…` and further fields, of which those that are not known are ignored.
    fn happened(line: &[u8]) -> Option<Self> {
        // What is no field is left out below, but nothing is before the first.
        if !line.starts_with(b"ts=") {
            return None;
        }
        let mut fields = line.split(|byte| *byte == b' ').filter_map(|field| {
            let equals = field.iter().position(|byte| *byte == b'=')?;
            Some((&field[..equals], &field[equals + 1..]))
        });
        let mut next =
            |name: &[u8]| fields.next().filter(|field| field.0 == name).map(|field| field.1);
        let (at, number) = (time(next(b"ts")?)?, number(next(b"gid")?)?);
        let kind = next(b"type")?;
        if ![&b"item_get"[..], b"item_store", b"eviction", b"deleted"].contains(&kind) {
            return Some(Self::Unrelated);
        }
        let fields = Fields::of(fields)?;
        Some(Self::Event(Event {
            at,
            number,
            what: fields.what(kind)?,
            key: fields.key?,
            class: fields.class?,
            size: fields.size,
        }))
    }
}

/// Fields by name.
#[derive(Default)]
struct Fields<'a> {
    key: Option<Vec<u8>>,
    status: &'a [u8],
    command: &'a [u8],
    ttl: Option<i64>,
    class: Option<u32>,
    client: Option<i32>,
    size: Option<u64>,
    fetched: Option<bool>,
    idle: Option<u64>,
}

impl<'a> Fields<'a> {
    fn of(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Option<Self> {
        let mut found = Self::default();
        for (name, value) in fields {
            match name {
                b"key" => found.key = Some(uri::decode(value)?),
                b"status" => found.status = value,
                b"cmd" => found.command = value,
                b"ttl" => found.ttl = Some(number(value)?),
                b"clsid" => found.class = Some(number(value)?),
                b"cfd" => found.client = Some(number(value)?),
                b"size" => found.size = Some(number(value)?),
                b"fetch" => found.fetched = Some(value == b"yes"),
                b"la" => found.idle = Some(number(value)?),
                _ => {}
            }
        }
        Some(found)
    }

    fn what(&self, kind: &[u8]) -> Option<What> {
        Some(match kind {
            b"item_get" => What::Sought { result: self.sought(), client: self.client },
            b"item_store" => What::Stored {
                result: self.stored(),
                command: self.command(),
                // Here, 0 is for ever.
                ttl: match self.ttl? {
                    0 => Ttl::Never,
                    ttl => Ttl::told(ttl),
                },
                client: self.client,
            },
            b"eviction" => What::Evicted {
                fetched: self.fetched?,
                ttl: Ttl::told(self.ttl?),
                idle: self.idle?,
            },
            _ => What::Deleted,
        })
    }

    fn sought(&self) -> Sought {
        match self.status {
            b"found" => Sought::Found,
            b"not_found" => Sought::NotFound,
            b"flushed" => Sought::Flushed,
            b"expired" => Sought::Expired,
            _ => Sought::Other,
        }
    }

    fn stored(&self) -> Stored {
        match self.status {
            b"stored" => Stored::Stored,
            b"not_stored" => Stored::NotStored,
            b"exists" => Stored::Exists,
            b"not_found" => Stored::NotFound,
            b"too_large" => Stored::TooLarge,
            b"no_memory" => Stored::NoMemory,
            _ => Stored::Other,
        }
    }

    fn command(&self) -> Command {
        match self.command {
            b"set" => Command::Set,
            b"add" => Command::Add,
            b"replace" => Command::Replace,
            b"append" => Command::Append,
            b"prepend" => Command::Prepend,
            b"cas" => Command::Cas,
            _ => Command::Other,
        }
    }
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Seconds, a point, and microseconds, which memcached writes without leading zeros: `5.7` is 5.000007.
fn time(text: &[u8]) -> Option<Duration> {
    let point = text.iter().position(|byte| *byte == b'.')?;
    let (seconds, micros) = (number(&text[..point])?, number(&text[point + 1..])?);
    Some(Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros)))
}

#[cfg(test)]
// By its path, since the fuzz targets include this file by its own.
#[path = "watch/tests.rs"]
mod tests;
