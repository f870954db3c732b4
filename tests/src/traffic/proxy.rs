//! What a pipelining proxy makes of many clients: their requests, interleaved on one connection to the server, each
//! sent on as it comes. What replies it owes is read later, in the order of the requests.

use std::collections::VecDeque;

use super::{AT_ONCE, Client, KEYS};
use crate::client::set_request;

/// Replies that have to come.
pub(super) type Unread = VecDeque<Vec<u8>>;

impl Client {
    /// Sends on some requests, each by itself, and reads the replies to those before them.
    pub(super) fn pass_on(&mut self) {
        let earlier = self.unread.len();
        for _ in 0..AT_ONCE {
            let (request, reply) = if self.random.below(2) == 0 {
                self.gets += 1;
                let key = format!("{}-{}", self.name, self.random.below(KEYS));
                let mut reply = self.history.last(&key).map_or_else(Vec::new, |value| {
                    let head = format!("VALUE {key} 0 {}\r\n", value.len());
                    [head.as_bytes(), &value, b"\r\n"].concat()
                });
                reply.extend_from_slice(b"END\r\n");
                (format!("get {key}\r\n").into_bytes(), reply)
            } else {
                self.sets += 1;
                let (key, value) = self.write();
                (set_request(&key, &value.bytes(&key)), b"STORED\r\n".to_vec())
            };
            self.connection.send(&request);
            self.unread.push_back(reply);
        }
        self.read(earlier);
    }

    /// Reads what is owed to the proxy's clients.
    pub(super) fn read_all(&mut self) {
        self.read(self.unread.len());
    }

    fn read(&mut self, count: usize) {
        for reply in self.unread.drain(..count) {
            let read = self.connection.read_exact(reply.len());
            assert!(read == reply, "production gives another reply to {}", self.name);
        }
    }
}
