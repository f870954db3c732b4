//! The target's memcached: executes what it reads, and checks that it may.

use std::collections::HashMap;

use smoltcp::{iface::SocketHandle, socket::tcp::State};

use crate::{client::Connection, stack::Stack};

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
    sessions: HashMap<SocketHandle, Session>,
    /// Bytes that it reads from a socket at a time.
    appetite: usize,
    /// Requests executed, in order: connection and number.
    pub(crate) executed: Vec<(usize, usize)>,
}

impl Server {
    pub(crate) fn new(appetite: usize) -> Self {
        Self { sessions: HashMap::new(), appetite, executed: Vec::new() }
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

    /// Reads, executes, replies.
    pub(crate) fn run(&mut self, stack: &mut Stack, connections: &[Connection]) {
        let alive = stack.connections();
        self.sessions.retain(|handle, _| alive.contains(handle));
        for (&handle, session) in &mut self.sessions {
            let socket = stack.socket(handle);
            let mut buffer = vec![0; self.appetite];
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
        }
    }
}

impl Session {
    /// Executes the next request, if all of it is there, and returns its number.
    fn execute(&mut self) -> Option<usize> {
        let newline = self.unread.iter().position(|&byte| byte == b'\n')?;
        let line = str::from_utf8(&self.unread[..newline]).unwrap().trim_end().to_owned();
        let words: Vec<_> = line.split(' ').collect();
        let mut end = newline + 1;
        let reply = match words[0] {
            "set" => {
                end += words[4].parse::<usize>().unwrap() + 2;
                if self.unread.len() < end {
                    return None;
                }
                assert_eq!(&self.unread[end - 2..end], b"\r\n", "a value of a wrong length");
                b"STORED\r\n".to_vec()
            }
            // Other lengths than production's: a miss, a small value, a large one.
            "get" => vec![b'v'; [5, 300, 700, 3000][line.len().wrapping_add(end) % 4]],
            other => panic!("{other:?} is not what the client asked"),
        };
        let number = words[1].strip_prefix("key-").expect("a value ran as a command");
        let (connection, number) = number.split_once('-').unwrap();
        assert_eq!(connection.parse::<usize>().unwrap(), self.connection);
        self.unread.drain(..end);
        self.unsent.extend(reply);
        Some(number.parse().unwrap())
    }
}
