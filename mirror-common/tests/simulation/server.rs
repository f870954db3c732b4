//! The target's memcached: executes what it reads, and checks that it may.

use std::collections::BTreeMap;

use smoltcp::{iface::SocketHandle, socket::tcp::State};

use crate::{
    client::Connection,
    requests::{BINARY, GET, HEADER, SET, SET_QUIETLY},
    stack::Stack,
};

/// A socket that memcached accepted.
struct Session {
    connection: usize,
    opened_at: usize,
    offset: usize,
    unread: Vec<u8>,
    unsent: Vec<u8>,
}

/// memcached.
pub(crate) struct Server {
    sessions: BTreeMap<SocketHandle, Session>,
    /// Bytes that it reads from a socket at a time.
    appetite: usize,
    /// Requests executed, in order: connection and number.
    pub(crate) executed: Vec<(usize, usize)>,
}

impl Server {
    pub(crate) fn new(appetite: usize) -> Self {
        Self { sessions: BTreeMap::new(), appetite, executed: Vec::new() }
    }

    /// The stack answered a SYN: `first` is the sequence number of the first byte that may follow.
    pub(crate) fn accept(&mut self, handle: SocketHandle, connections: &[Connection], first: u32) {
        let found = connections
            .iter()
            .enumerate()
            .find_map(|(index, connection)| Some((index, connection.offset_of(first)?)));
        let (connection, offset) = found.expect("opened in the middle of nowhere");
        let known = self.sessions.get(&handle);
        if known
            .is_some_and(|session| (session.connection, session.opened_at) == (connection, offset))
        {
            return;
        }
        let boundary = connections[connection].requests.iter().any(|range| range.start == offset);
        assert!(boundary || offset == 0, "opened at {offset}, which begins no request");
        let session = Session {
            connection,
            opened_at: offset,
            offset,
            unread: Vec::new(),
            unsent: Vec::new(),
        };
        self.sessions.insert(handle, session);
    }

    /// Reads, executes, replies. Returns whether there was anything to do.
    pub(crate) fn run(&mut self, stack: &mut Stack, connections: &[Connection]) -> bool {
        let alive = stack.connections();
        self.sessions.retain(|handle, _| alive.contains(handle));
        let mut busy = false;
        for (&handle, session) in &mut self.sessions {
            let socket = stack.socket(handle);
            let mut buffer = vec![0; self.appetite.min(socket.recv_queue())];
            let length = socket.recv_slice(&mut buffer).unwrap_or(0);
            let (read, truth) = (&buffer[..length], &connections[session.connection]);
            assert_eq!(
                read,
                truth.stream.get(session.offset..session.offset + length).unwrap_or(b"beyond"),
                "not what the client sent at {}",
                session.offset
            );
            session.offset += length;
            session.unread.extend(read);
            while let Some(number) = session.execute() {
                self.executed.push((session.connection, number));
            }
            let sent = socket.send_slice(&session.unsent).unwrap_or(0);
            session.unsent.drain(..sent);
            if socket.state() == State::CloseWait && !socket.can_recv() {
                socket.close();
            }
            busy |= length > 0 || sent > 0;
        }
        busy
    }
}

impl Session {
    /// Executes the next request, if all of it is there, and returns its number.
    fn execute(&mut self) -> Option<usize> {
        let Executed { key, length, reply } = match self.unread.first()? {
            &BINARY => binary(&self.unread)?,
            _ => text(&self.unread)?,
        };
        let number = key.strip_prefix("key-").expect("a value ran as a command");
        let (connection, number) = number.split_once('-').unwrap();
        assert_eq!(connection.parse::<usize>().unwrap(), self.connection);
        let number = number.parse().unwrap();
        self.unread.drain(..length);
        self.unsent.extend(vec![b'v'; reply]);
        Some(number)
    }
}

/// A request that memcached has read.
struct Executed {
    key: String,
    /// How many bytes it had.
    length: usize,
    /// How many bytes memcached replies.
    reply: usize,
}

/// What is got has other lengths than production's: a miss, a small value, a large one.
fn value(key: &str) -> usize {
    let turn = key.bytes().map(usize::from).sum::<usize>();
    [0, 300, 700, 3000][turn % 4]
}

fn text(unread: &[u8]) -> Option<Executed> {
    let newline = unread.iter().position(|&byte| byte == b'\n')?;
    let line = str::from_utf8(&unread[..newline]).unwrap().trim_end();
    let words: Vec<_> = line.split(' ').collect();
    let key = words[1].to_owned();
    let (length, reply) = match words[0] {
        "set" => {
            let end = newline + 1 + words[4].parse::<usize>().unwrap() + 2;
            assert_eq!(unread.get(..end)?[end - 2..], *b"\r\n", "a value of a wrong length");
            (end, if words.last() == Some(&"noreply") { 0 } else { "STORED\r\n".len() })
        }
        "get" => (newline + 1, "END\r\n".len() + value(&key)),
        other => panic!("{other:?} is not what the client asked"),
    };
    Some(Executed { key, length, reply })
}

fn binary(unread: &[u8]) -> Option<Executed> {
    let header = unread.get(..HEADER)?;
    let (key, extras) = (usize::from(header[3]), usize::from(header[4]));
    let body = u32::from_be_bytes([header[8], header[9], header[10], header[11]]) as usize;
    let body = unread.get(HEADER..HEADER + body)?;
    let key = str::from_utf8(&body[extras..extras + key]).unwrap().to_owned();
    let reply = match header[1] {
        SET => HEADER,
        SET_QUIETLY => 0,
        GET => HEADER + value(&key),
        other => panic!("{other} is not what the client asked"),
    };
    Some(Executed { key, length: HEADER + body.len(), reply })
}
