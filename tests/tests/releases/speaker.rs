//! Servers of all releases, and who speaks to them by the agent's codec.

use std::{io::Read as _, time::Duration};

use fuzz_bodies::codec::{
    Lines,
    classic::{self, Get},
    store,
};
use mirror_tests::{Host, Lab, client::Connection, memcached::Memcached, release::Release};
/// The first server's port; the others have those that follow.
const PORT: u16 = 11211;

/// Servers of all releases on one host.
pub(crate) struct Servers {
    pub(crate) operator: Host,
    pub(crate) host: Host,
    pub(crate) all: Vec<Server>,
    _lab: Lab,
}

/// One of them.
pub(crate) struct Server {
    pub(crate) release: Release,
    pub(crate) port: u16,
    pub(crate) server: Memcached,
}

impl Servers {
    /// With further options.
    pub(crate) fn start(options: &[&str]) -> Self {
        let mut lab = Lab::new();
        let (operator, host) = (lab.host("operator"), lab.host("cache"));
        let all = Release::ALL.into_iter().zip(PORT..).map(|(release, port)| {
            let server = Memcached::start_release(&host, port, release, options);
            Server { release, port, server }
        });
        let all = all.collect();
        Self { operator, host, all, _lab: lab }
    }
}

/// An item that `gets` told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) key: Vec<u8>,
    pub(crate) flags: u64,
    pub(crate) cas: Option<u64>,
    pub(crate) value: Vec<u8>,
}

/// A connection that requests of the codec go out on, and whose answers are cut into lines by it.
pub(crate) struct Speaker {
    connection: Connection,
    lines: Lines,
}

impl Speaker {
    pub(crate) fn connect(server: &Memcached, host: &Host) -> Self {
        Self { connection: server.inside(host), lines: Lines::default() }
    }

    pub(crate) fn say(&mut self, request: &[u8]) {
        self.connection.send(request);
    }

    /// The next line.
    pub(crate) fn line(&mut self) -> Vec<u8> {
        loop {
            if let Some(line) = self.lines.next_line() {
                return line.to_vec();
            }
            self.more();
        }
    }

    /// A value of this length, and the end of its line.
    pub(crate) fn value(&mut self, length: usize) -> Vec<u8> {
        let mut value = Vec::new();
        while value.len() < length {
            value.extend_from_slice(self.lines.take_bytes(length - value.len()));
            if value.len() < length {
                self.more();
            }
        }
        assert_eq!(self.line(), b"", "a value ends where it should");
        value
    }

    /// The next line, `None` where none comes for a while.
    pub(crate) fn line_soon(&mut self) -> Option<Vec<u8>> {
        let mut buffer = [0; 1 << 16];
        loop {
            if let Some(line) = self.lines.next_line() {
                return Some(line.to_vec());
            }
            let stream = &mut self.connection.stream;
            let waiting = stream.read_timeout().expect("a socket has a time-out");
            stream
                .set_read_timeout(Some(Duration::from_millis(300)))
                .expect("a time-out can be set");
            let count = stream.read(&mut buffer).ok().filter(|count| *count > 0);
            stream.set_read_timeout(waiting).expect("a time-out can be set");
            self.lines.push(&buffer[..count?]);
        }
    }

    fn more(&mut self) {
        let mut buffer = [0; 1 << 16];
        let count = self.connection.stream.read(&mut buffer).expect("the server replies in time");
        assert_ne!(count, 0, "the server closed the connection");
        self.lines.push(&buffer[..count]);
    }

    /// The server's clock.
    pub(crate) fn now(&mut self) -> u64 {
        self.say(b"stats\r\n");
        let mut now = None;
        loop {
            let line = String::from_utf8(self.line()).expect("statistics are text");
            match line.strip_prefix("STAT time ") {
                Some(time) => now = time.parse().ok(),
                None if line == "END" => return now.expect("a server has a clock"),
                None => {}
            }
        }
    }

    /// Stores an item by `ms`, and returns what `judge` makes of the reply.
    pub(crate) fn store<T>(
        &mut self,
        item: &store::Store<'_>,
        judge: impl Fn(store::Reply<'_>) -> T,
    ) -> T {
        let (mut request, now) = (Vec::new(), self.now());
        assert!(item.write(&mut request, now), "{} can be named", item.key.escape_ascii());
        self.say(&request);
        judge(store::Reply::parse(&self.line()))
    }

    /// Deletes an item by `md`, and returns what `judge` makes of the reply.
    pub(crate) fn delete<T>(
        &mut self,
        key: &[u8],
        compare: Option<std::num::NonZeroU64>,
        judge: impl Fn(store::Reply<'_>) -> T,
    ) -> T {
        let mut request = Vec::new();
        assert!(store::delete(&mut request, key, compare));
        self.say(&request);
        judge(store::Reply::parse(&self.line()))
    }

    /// What `gets` says of these keys.
    pub(crate) fn gets(&mut self, keys: &[&[u8]]) -> Vec<Told> {
        let mut request = Vec::new();
        assert!(classic::get(&mut request, Get::Unique, keys.iter().copied()));
        self.say(&request);
        let mut found = Vec::new();
        loop {
            let line = self.line();
            match classic::Line::parse(&line) {
                classic::Line::Value(classic::Value { key, flags, length, cas }) => {
                    let value = self.value(length);
                    found.push(Told { key: key.to_vec(), flags, cas, value });
                }
                classic::Line::End => return found,
                classic::Line::Refused(refusal) => panic!("{refusal:?}"),
            }
        }
    }
}
