//! Clients of every kind: each protocol, one request at a time or many, values of any length.
//!
//! | module | what it is |
//! |---|---|
//! | `single` | a request, and its reply |
//! | `bursts` | many requests, and then their replies |
//! | `proxy` | many clients' requests on one connection |
//! | `multiget` | one request for thousands of keys |

mod bursts;
mod multiget;
mod proxy;
mod single;

use std::{thread::sleep, time::Duration};

use crate::{
    client::Connection,
    history::{Fill, History, Value},
    random::Random,
};

/// How a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Classic text, a request at a time.
    Text,
    /// The same, but each command within a value begins a segment.
    Pieces,
    /// Meta commands, a request at a time.
    Meta,
    /// The binary protocol, a request at a time.
    Binary,
    /// Classic text, many requests before it reads the replies. Values are noise.
    Burst,
    /// Classic text: many sets that want no reply, and then a request that does.
    Quiet,
    /// Classic text: sets only, none of which wants a reply.
    NoReply,
    /// The binary protocol: many quiet requests (`SETQ`, `GETQ`), and a `NOOP` that says that they are done.
    QuietBinary,
    /// What a proxy makes of many clients: it sends on each request as it comes, and there are always some whose
    /// replies it has yet to read. Classic text, small values of noise.
    Proxy,
    /// Classic text: now and then a `get` of thousands of keys, few of which exist.
    Multiget,
    /// Classic text, a request at a time, whose command lines end in a line feed alone.
    LineFeeds,
    /// Classic text: a member of a pool, which has a few requests after one another and then rests for seconds.
    Pausing,
}

impl Style {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Text,
        Self::Pieces,
        Self::Meta,
        Self::Binary,
        Self::Burst,
        Self::Quiet,
        Self::NoReply,
        Self::QuietBinary,
        Self::Proxy,
        Self::Multiget,
        Self::LineFeeds,
        Self::Pausing,
    ];

    /// Those that share a processor well: none has thousands of keys in a request, or rests. Each is joined again
    /// after a loss.
    pub const USUAL: [Self; 6] =
        [Self::Text, Self::Pieces, Self::Meta, Self::Binary, Self::Burst, Self::Quiet];
}

/// Keys that a client has for itself, and that it shares with all others.
const KEYS: usize = 30;
/// Time between two requests, on average.
const PACE: Duration = Duration::from_millis(20);
/// Requests that are sent at once.
const AT_ONCE: usize = 20;
/// How long a member of a pool rests.
const REST: Duration = Duration::from_secs(2);

/// A client, what it wrote, and how many requests it made.
#[derive(Debug)]
pub struct Client {
    /// Who it is, and what its keys begin with.
    pub name: String,
    /// What it wrote.
    pub history: History,
    style: Style,
    connection: Connection,
    random: Random,
    /// Replies that it has yet to read.
    unread: proxy::Unread,
    /// How many values it stored.
    pub sets: u64,
    /// How many requests it made for keys.
    pub gets: u64,
}

impl Client {
    /// A client whose name nobody else has.
    pub fn new(name: String, style: Style, connection: Connection) -> Self {
        Self {
            random: Random::new(&name),
            name,
            history: History::default(),
            style,
            connection,
            unread: proxy::Unread::default(),
            sets: 0,
            gets: 0,
        }
    }

    /// How it speaks.
    pub fn style(&self) -> Style {
        self.style
    }

    /// Goes on with another connection.
    pub fn reconnect(&mut self, connection: Connection) {
        self.read_all();
        self.connection = connection;
    }

    /// Does about so many requests, and checks that production answers them all.
    pub fn work(&mut self, requests: usize) {
        let goal = self.sets + self.gets + requests as u64;
        while self.sets + self.gets < goal {
            let before = self.sets + self.gets;
            match self.style {
                Style::Burst => self.burst(),
                Style::Quiet => self.quiet(),
                Style::QuietBinary => self.quiet_binary(),
                Style::Proxy => self.pass_on(),
                Style::Pausing => {
                    (0..AT_ONCE).for_each(|_| self.one());
                    sleep(REST);
                    continue;
                }
                _ => self.one(),
            }
            let made = u32::try_from(self.sets + self.gets - before).expect("a few");
            sleep(PACE * made);
        }
        self.read_all();
    }

    /// Sets or gets something.
    fn one(&mut self) {
        if self.style != Style::NoReply && self.random.below(3) == 0 {
            match self.style {
                Style::Multiget if self.random.below(4) == 0 => self.multiget(),
                _ => self.get(),
            }
        } else {
            let (key, value) = self.write();
            self.set(&key, &value);
        }
    }

    /// Stores a small value under this key, and waits for the reply, if there is one.
    pub fn store(&mut self, key: &str) {
        let value = self.history.write(&self.name, key, 10, Fill::Noise);
        self.set(key, &value);
    }

    /// Stores a value of so many bytes under this key, and waits for the reply, if there is one.
    pub fn store_large(&mut self, key: &str, length: usize) {
        let value = self.history.write(&self.name, key, length, Fill::Noise);
        self.set(key, &value);
    }

    /// Decides what to write next.
    fn write(&mut self) -> (String, Value) {
        let number = self.random.below(KEYS);
        let owner = if self.random.below(10) == 0 { "all" } else { &self.name };
        let key = format!("{owner}-{number}");
        let fill = match (self.style, self.random.below(3)) {
            (Style::Burst | Style::QuietBinary | Style::Proxy, _) | (_, 0) => Fill::Noise,
            (_, 1) => Fill::Text,
            _ => Fill::Binary,
        };
        let length = match self.random.below(100) {
            _ if matches!(self.style, Style::Pieces | Style::Proxy) => 1 + self.random.below(800),
            0..40 => 1 + self.random.below(20),
            40..75 => 20 + self.random.below(2_000),
            75..92 => 2_000 + self.random.below(20_000),
            _ => 20_000 + self.random.below(80_000),
        };
        let value = self.history.write(&self.name, &key, length, fill);
        (key, value)
    }
}
