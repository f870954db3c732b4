//! A request at a time, and its reply, if there is one.

use super::{Client, KEYS, Style};
use crate::{client::binary, history::Value};

const GET: u8 = 0x00;
const SET: u8 = 0x01;

impl Client {
    pub(super) fn set(&mut self, key: &str, value: &Value) {
        self.sets += 1;
        let bytes = value.bytes(key);
        match self.style {
            Style::Binary | Style::QuietBinary => {
                self.connection.send(&binary(SET, &[0; 8], key, &bytes));
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
            Style::NoReply => self.connection.send(&noreply(key, &bytes)),
            Style::LineFeeds => {
                let mut request = format!("set {key} 0 0 {}\n", bytes.len()).into_bytes();
                request.extend_from_slice(&bytes);
                // memcached asks for both behind a value.
                request.extend_from_slice(b"\r\n");
                assert_eq!(self.connection.ask(request, "\r\n"), b"STORED\r\n", "{key}");
            }
            Style::Proxy => {
                self.read_all();
                self.connection.set(key, &bytes);
            }
            Style::Text | Style::Burst | Style::Quiet | Style::Multiget | Style::Pausing => {
                self.connection.set(key, &bytes);
            }
        }
    }

    /// Asks for a key of its own.
    pub(super) fn get(&mut self) {
        self.gets += 1;
        let key = format!("{}-{}", self.name, self.random.below(KEYS));
        let value = match self.style {
            Style::Binary => {
                self.connection.send(&binary(GET, &[], &key, &[]));
                // The flags come first.
                self.read_binary().map(|body| body[4..].to_vec())
            }
            Style::Meta => self.meta_get(&key),
            Style::LineFeeds => self.connection.get_by(&key, "\n"),
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
        let reply = self.connection.read_binary();
        (reply.status == 0).then_some(reply.body)
    }
}

/// A classic text `set` that wants no reply.
pub(super) fn noreply(key: &str, value: &[u8]) -> Vec<u8> {
    let mut request = format!("set {key} 0 0 {} noreply\r\n", value.len()).into_bytes();
    request.extend_from_slice(value);
    request.extend_from_slice(b"\r\n");
    request
}
