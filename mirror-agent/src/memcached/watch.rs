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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(key: &str, class: u32, size: u64, what: What) -> Event {
        let at = Duration::new(1_795_907_115, 696_494_000);
        Event { at, number: 13, key: key.as_bytes().to_vec(), class, size: Some(size), what }
    }

    /// As memcached writes it.
    fn format(event: &Event) -> String {
        let Event { at, number, class, .. } = event;
        let (seconds, micros) = (at.as_secs(), at.subsec_micros());
        let key = uri::encode(&event.key);
        let size = event.size.map(|size| format!(" size={size}")).unwrap_or_default();
        let client =
            |client: Option<i32>| client.map(|cfd| format!(" cfd={cfd}")).unwrap_or_default();
        let head = |kind| format!("ts={seconds}.{micros} gid={number} type={kind} key={key}");
        match event.what {
            What::Sought { result, client: cfd } => {
                let result = match result {
                    Sought::Found => "found",
                    Sought::NotFound => "not_found",
                    Sought::Flushed => "flushed",
                    Sought::Expired => "expired",
                    Sought::Other => "frozen",
                };
                format!("{} status={result} clsid={class}{}{size}", head("item_get"), client(cfd))
            }
            What::Stored { result, command, ttl, client: cfd } => {
                let result = match result {
                    Stored::Stored => "stored",
                    Stored::NotStored => "not_stored",
                    Stored::Exists => "exists",
                    Stored::NotFound => "not_found",
                    Stored::TooLarge => "too_large",
                    Stored::NoMemory => "no_memory",
                    Stored::Other => "frozen",
                };
                let command = match command {
                    Command::Set => "set",
                    Command::Add => "add",
                    Command::Replace => "replace",
                    Command::Append => "append",
                    Command::Prepend => "prepend",
                    Command::Cas => "cas",
                    Command::Other => "na",
                };
                let ttl = match ttl {
                    Ttl::Never => 0,
                    Ttl::Remaining(0) => u32::MAX,
                    Ttl::Remaining(seconds) => u32::try_from(seconds).expect("31 bits"),
                };
                format!(
                    "{} status={result} cmd={command} ttl={ttl} clsid={class}{}{size}",
                    head("item_store"),
                    client(cfd)
                )
            }
            What::Evicted { fetched, ttl, idle } => {
                let fetched = if fetched { "yes" } else { "no" };
                let ttl = match ttl {
                    Ttl::Never => "-1".to_owned(),
                    Ttl::Remaining(seconds) => seconds.to_string(),
                };
                let head = head("eviction");
                format!("{head} fetch={fetched} ttl={ttl} la={idle} clsid={class}{size}")
            }
            What::Deleted => format!("{} cmd=md clsid={class}{size}", head("deleted")),
        }
    }

    #[test]
    fn lines_of_real_servers() {
        for (line, want) in [
            (
                "ts=1795907115.696494 gid=13 type=item_get key=a%20b status=not_found clsid=0 cfd=11 size=0",
                event("a b", 0, 0, What::Sought { result: Sought::NotFound, client: Some(11) }),
            ),
            (
                "ts=1795907115.696494 gid=13 type=item_store key=z status=exists cmd=cas ttl=0 clsid=1 cfd=11 \
                 size=2",
                event(
                    "z",
                    1,
                    2,
                    What::Stored {
                        result: Stored::Exists,
                        command: Command::Cas,
                        ttl: Ttl::Never,
                        client: Some(11),
                    },
                ),
            ),
            (
                "ts=1795907115.696494 gid=13 type=item_store key=q status=too_large cmd=na ttl=4294967227 clsid=41 \
                 cfd=-48 size=0",
                event(
                    "q",
                    41,
                    0,
                    What::Stored {
                        result: Stored::TooLarge,
                        command: Command::Other,
                        ttl: Ttl::Remaining(0),
                        client: Some(-48),
                    },
                ),
            ),
            (
                "ts=1795907115.696494 gid=13 type=eviction key=e fetch=yes ttl=-1 la=7 clsid=12 size=900",
                event("e", 12, 900, What::Evicted { fetched: true, ttl: Ttl::Never, idle: 7 }),
            ),
            (
                "ts=1795907115.696494 gid=13 type=deleted key=d cmd=delete clsid=1 size=1 new=field",
                event("d", 1, 1, What::Deleted),
            ),
        ] {
            assert_eq!(Line::parse(line.as_bytes()), Line::Event(want), "{line}");
        }
    }

    #[test]
    fn fields_that_older_servers_do_not_tell() {
        let line = b"ts=1795907115.696494 gid=13 type=item_get key=a status=found clsid=3";
        let what = What::Sought { result: Sought::Found, client: None };
        let want = Event { size: None, ..event("a", 3, 0, what) };
        assert_eq!(Line::parse(line), Line::Event(want));
    }

    #[test]
    fn microseconds_have_no_leading_zeros() {
        assert_eq!(time(b"1796072258.14971"), Some(Duration::new(1_796_072_258, 14_971_000)));
    }

    #[test]
    fn other_lines() {
        assert_eq!(Line::parse(b"OK"), Line::Begin);
        assert_eq!(Line::parse(b"skipped=12"), Line::Skipped(12));
        for line in [
            "ts=1.2 gid=3 type=conn_new rip=10.0.0.1 rport=4 transport=tcp cfd=5",
            "ts=1.2 gid=3 type=conn_close rip=unix rport=0 transport=local reason=normal cfd=5",
            "ts=1.2 gid=3 type=proxy_req detail= req=get = a",
        ] {
            assert_eq!(Line::parse(line.as_bytes()), Line::Unrelated, "{line}");
        }
        let refused = Refusal::Client(b"watch commands not allowed");
        assert_eq!(Line::parse(b"CLIENT_ERROR watch commands not allowed"), Line::Refused(refused));
        assert_eq!(Line::parse(b"ERROR"), Line::Refused(Refusal::Unknown(b"")));
        for line in [
            "",
            "skipped=",
            "skipped=-1",
            "ts=1.2 gid=3",
            "ts=1 gid=3 type=conn_new",
            "gid=3 ts=1.2 type=conn_new",
            "HD ts=1.2 gid=3 type=conn_new",
            "ts=1.2 gid=3 type=deleted clsid=1",
            "ts=1.2 gid=3 type=deleted key= clsid=1",
            "ts=1.2 gid=3 type=deleted key=a%2 clsid=1",
            "ts=1.2 gid=3 type=deleted key=a clsid=x",
            "ts=1.2 gid=3 type=item_store key=a clsid=1",
            "ts=1.2 gid=3 type=eviction key=a clsid=1 ttl=1 la=1",
        ] {
            let refused = Refusal::Other(line.as_bytes());
            assert_eq!(Line::parse(line.as_bytes()), Line::Refused(refused), "{line}");
        }
    }

    fn any_what() -> impl Strategy<Value = What> {
        let sought = prop::sample::select(vec![
            Sought::Found,
            Sought::NotFound,
            Sought::Flushed,
            Sought::Expired,
            Sought::Other,
        ]);
        let stored = prop::sample::select(vec![
            Stored::Stored,
            Stored::NotStored,
            Stored::Exists,
            Stored::NotFound,
            Stored::TooLarge,
            Stored::NoMemory,
            Stored::Other,
        ]);
        let command = prop::sample::select(vec![
            Command::Set,
            Command::Add,
            Command::Replace,
            Command::Append,
            Command::Prepend,
            Command::Cas,
            Command::Other,
        ]);
        let ttl = || prop_oneof![Just(Ttl::Never), (0..1u64 << 31).prop_map(Ttl::Remaining)];
        prop_oneof![
            (sought, any::<Option<i32>>())
                .prop_map(|(result, client)| What::Sought { result, client }),
            (stored, command, ttl(), any::<Option<i32>>()).prop_map(
                |(result, command, ttl, client)| What::Stored { result, command, ttl, client }
            ),
            (any::<bool>(), ttl(), any::<u64>()).prop_map(|(fetched, ttl, idle)| What::Evicted {
                fetched,
                ttl,
                idle
            }),
            Just(What::Deleted),
        ]
    }

    proptest! {
        #[test]
        fn events_round_trip(
            what in any_what(), seconds: u32, micros in 0..1_000_000u64, number: u64, class: u32,
            key in prop::collection::vec(any::<u8>(), 1..250), size: Option<u64>,
        ) {
            let at = Duration::from_secs(seconds.into()) + Duration::from_micros(micros);
            let event = Event { at, number, key, class, size, what };
            let line = format(&event);
            prop_assert_eq!(Line::parse(line.as_bytes()), Line::Event(event));
            // What is left of a line that was cut is no event, or one with less.
            for cut in 0..line.len() {
                let _ = Line::parse(&line.as_bytes()[..cut]);
            }
        }

        #[test]
        fn no_bytes_do_harm(bytes: Vec<u8>) {
            for begin in [&b""[..], b"skipped=", b"ts=1.2 gid=3 type=", b"ts=1.2 gid=3 type=item_store key=a "] {
                let _ = Line::parse(&[begin, bytes.as_slice()].concat());
            }
        }
    }
}
