//! Clients of every kind: each protocol, one request at a time or many, values of any length.

use std::{thread::sleep, time::Duration};

use crate::{
    client::{Connection, binary, set_request},
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
}

impl Style {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Text, Self::Pieces, Self::Meta, Self::Binary, Self::Burst, Self::Quiet];
}

/// Keys that a client has for itself, and that it shares with all others.
const KEYS: usize = 30;
/// Time between two requests, on average.
const PACE: Duration = Duration::from_millis(20);
/// Requests that are sent at once.
const AT_ONCE: usize = 20;

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
    /// How many values it stored.
    pub sets: u64,
    /// How many keys it asked for.
    pub gets: u64,
}

impl Client {
    /// A client whose name nobody else has.
    pub fn new(name: String, style: Style, connection: Connection) -> Self {
        let random = Random::new(&name);
        Self { name, history: History::default(), style, connection, random, sets: 0, gets: 0 }
    }

    /// Goes on with another connection.
    pub fn reconnect(&mut self, connection: Connection) {
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
                _ if self.random.below(3) == 0 => self.get(),
                _ => {
                    let (key, value) = self.write();
                    self.set(&key, &value);
                }
            }
            let made = u32::try_from(self.sets + self.gets - before).expect("a few");
            sleep(PACE * made);
        }
    }

    /// Stores a small value under this key, and waits for the reply.
    pub fn store(&mut self, key: &str) {
        let value = self.history.write(&self.name, key, 10, Fill::Noise);
        self.set(key, &value);
    }

    /// Stores a value of so many bytes under this key, and waits for the reply.
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
            (Style::Burst, _) | (_, 0) => Fill::Noise,
            (_, 1) => Fill::Text,
            _ => Fill::Binary,
        };
        let length = match self.random.below(100) {
            _ if self.style == Style::Pieces => 1 + self.random.below(800),
            0..40 => 1 + self.random.below(20),
            40..75 => 20 + self.random.below(2_000),
            75..92 => 2_000 + self.random.below(20_000),
            _ => 20_000 + self.random.below(80_000),
        };
        let value = self.history.write(&self.name, &key, length, fill);
        (key, value)
    }

    fn set(&mut self, key: &str, value: &Value) {
        self.sets += 1;
        let bytes = value.bytes(key);
        match self.style {
            Style::Binary => {
                self.connection.send(&binary(1, &[0; 8], key, &bytes));
                assert_eq!(self.read_binary(), Some(Vec::new()), "{key}");
            }
            Style::Meta => {
                let mut request = format!("ms {key} {}\r\n", bytes.len()).into_bytes();
                request.extend_from_slice(&bytes);
                request.extend_from_slice(b"\r\n");
                assert_eq!(self.connection.ask(request, "\r\n"), b"HD\r\n", "{key}");
            }
            Style::Pieces => {
                let head = value.head(key).len().min(bytes.len());
                self.connection.send(format!("set {key} 0 0 {}\r\n", bytes.len()).as_bytes());
                self.connection.send(&bytes[..head]);
                for piece in bytes[head..].chunks(value.piece()) {
                    self.connection.send(piece);
                }
                assert_eq!(self.connection.ask("\r\n", "\r\n"), b"STORED\r\n", "{key}");
            }
            Style::Text | Style::Burst | Style::Quiet => self.connection.set(key, &bytes),
        }
    }

    /// Asks for a key of its own.
    fn get(&mut self) {
        self.gets += 1;
        let key = format!("{}-{}", self.name, self.random.below(KEYS));
        let value = match self.style {
            Style::Binary => {
                self.connection.send(&binary(0, &[], &key, &[]));
                // The flags come first.
                self.read_binary().map(|body| body[4..].to_vec())
            }
            Style::Meta => self.meta_get(&key),
            _ => self.connection.get(&key),
        };
        assert!(value == self.history.last(&key), "production gives another value for {key}");
    }

    fn meta_get(&mut self, key: &str) -> Option<Vec<u8>> {
        self.connection.send(format!("mg {key} v\r\n").as_bytes());
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.extend(self.connection.read_exact(1));
        }
        let line = String::from_utf8_lossy(&line);
        let length = line.strip_prefix("VA ")?.trim_end().parse::<usize>().expect("a length");
        let mut value = self.connection.read_exact(length + 2);
        value.truncate(length);
        Some(value)
    }

    /// The body of a reply, `None` unless its status says success.
    fn read_binary(&mut self) -> Option<Vec<u8>> {
        let header = self.connection.read_exact(24);
        let length = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
        let body = self.connection.read_exact(length as usize);
        (header[6..8] == [0, 0]).then_some(body)
    }

    fn burst(&mut self) {
        let (mut requests, mut replies) = (Vec::new(), Vec::new());
        for _ in 0..AT_ONCE {
            if self.random.below(3) == 0 {
                self.gets += 1;
                // Nobody has it.
                requests.extend_from_slice(b"get nothing\r\n");
                replies.extend_from_slice(b"END\r\n");
            } else {
                self.sets += 1;
                let (key, value) = self.write();
                requests.extend(set_request(&key, &value.bytes(&key)));
                replies.extend_from_slice(b"STORED\r\n");
            }
        }
        self.connection.send(&requests);
        assert!(self.connection.read_exact(replies.len()) == replies, "production's replies");
    }

    fn quiet(&mut self) {
        let mut requests = Vec::new();
        for _ in 0..AT_ONCE {
            self.sets += 1;
            let (key, value) = self.write();
            let bytes = value.bytes(&key);
            requests.extend(format!("set {key} 0 0 {} noreply\r\n", bytes.len()).as_bytes());
            requests.extend(bytes);
            requests.extend_from_slice(b"\r\n");
        }
        self.connection.send(&requests);
        self.get();
    }
}
