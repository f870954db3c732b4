//! A `get` of thousands of keys, in one line.

use super::{AT_ONCE, Client, KEYS, PACE};

/// How many.
const MANY: usize = 5_000;

impl Client {
    /// Asks for all keys that the client ever writes, and for many that it does not.
    pub(super) fn multiget(&mut self) {
        self.gets += 1;
        let (mut request, mut replies) = (String::from("get"), Vec::new());
        for number in 0..MANY {
            let key = format!("{}-{number}", self.name);
            request.push_str(&format!(" {key}"));
            let value = if number < KEYS { self.history.last(&key) } else { None };
            if let Some(value) = value {
                replies.extend(format!("VALUE {key} 0 {}\r\n", value.len()).as_bytes());
                replies.extend(value);
                replies.extend_from_slice(b"\r\n");
            }
        }
        request.push_str("\r\n");
        replies.extend_from_slice(b"END\r\n");
        self.connection.send(request.as_bytes());
        let read = self.connection.read_exact(replies.len());
        assert!(read == replies, "production gives other values to {}", self.name);
        // It is as much work as many requests.
        std::thread::sleep(PACE * AT_ONCE as u32);
    }
}
