//! Many requests at once, and then the replies to those that have one.

use super::{AT_ONCE, Client, KEYS, single::noreply};
use crate::client::{binary, set_request};

const GETQ: u8 = 0x09;
const NOOP: u8 = 0x0a;
const SETQ: u8 = 0x11;

impl Client {
    pub(super) fn burst(&mut self) {
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

    pub(super) fn quiet(&mut self) {
        let mut requests = Vec::new();
        for _ in 0..AT_ONCE {
            self.sets += 1;
            let (key, value) = self.write();
            requests.extend(noreply(&key, &value.bytes(&key)));
        }
        self.connection.send(&requests);
        self.get();
    }

    pub(super) fn quiet_binary(&mut self) {
        let (mut requests, mut hits) = (Vec::new(), Vec::new());
        for _ in 0..AT_ONCE {
            if self.random.below(3) == 0 {
                self.gets += 1;
                let key = format!("{}-{}", self.name, self.random.below(KEYS));
                requests.extend(binary(GETQ, &[], &key, &[]));
                hits.extend(self.history.last(&key));
            } else {
                self.sets += 1;
                let (key, value) = self.write();
                requests.extend(binary(SETQ, &[0; 8], &key, &value.bytes(&key)));
            }
        }
        requests.extend(binary(NOOP, &[], "", &[]));
        self.connection.send(&requests);
        for value in hits {
            let reply = self.connection.read_binary();
            assert_eq!((reply.opcode, reply.status), (GETQ, 0), "{}", self.name);
            // The flags come first.
            assert!(reply.body[4..] == value, "production gives another value to {}", self.name);
        }
        let reply = self.connection.read_binary();
        assert_eq!((reply.opcode, reply.status), (NOOP, 0), "{}", self.name);
    }
}
