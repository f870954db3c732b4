//! What production was given: every value of every key, so that a server's content can be judged.

use std::collections::BTreeMap;

use crate::{Host, client::binary, client::set_request, memcached::Memcached, random::Random};

/// What a value is made of.
#[derive(Clone, Copy, Debug)]
pub enum Fill {
    /// Any bytes.
    Noise,
    /// Whole commands of the text protocols, which store keys that nobody should.
    Text,
    /// The same of the binary protocol.
    Binary,
}

impl Fill {
    /// A part of a value that would be a whole command, if a server took it for one.
    pub fn commands(self) -> Vec<u8> {
        match self {
            Self::Noise => Vec::new(),
            Self::Text => {
                [set_request("evil-text", b"x"), b"ms evil-meta 1\r\nx\r\n".to_vec()].concat()
            }
            Self::Binary => binary(1, &[0; 8], "evil-binary", b"x"),
        }
    }
}

/// One value that was written: its bytes can be told from key, author and number.
#[derive(Clone, Debug)]
pub struct Value {
    author: String,
    number: usize,
    length: usize,
    fill: Fill,
}

impl Value {
    /// What a value of `key` begins with, unless it is noise: a line that no other value has.
    pub fn head(&self, key: &str) -> String {
        format!("{key} {} {}\r\n", self.author, self.number)
    }

    /// How long the parts are that follow the head.
    pub fn piece(&self) -> usize {
        match self.fill {
            Fill::Noise => 40,
            Fill::Text | Fill::Binary => self.fill.commands().len(),
        }
    }

    /// The value.
    pub fn bytes(&self, key: &str) -> Vec<u8> {
        let head = self.head(key);
        let mut bytes = Vec::with_capacity(self.length + 8);
        if matches!(self.fill, Fill::Noise) {
            let mut random = Random::new(&head);
            while bytes.len() < self.length {
                bytes.extend(random.number().to_le_bytes());
            }
        } else {
            bytes.extend(head.as_bytes());
            while bytes.len() < self.length {
                bytes.extend(self.fill.commands());
            }
        }
        bytes.truncate(self.length);
        bytes
    }
}

/// Every value of every key, oldest first.
#[derive(Clone, Debug, Default)]
pub struct History(BTreeMap<String, Vec<Value>>);

impl History {
    /// `author` writes a value of so many bytes.
    pub fn write(&mut self, author: &str, key: &str, length: usize, fill: Fill) -> Value {
        let values = self.0.entry(key.to_owned()).or_default();
        let value = Value { author: author.to_owned(), number: values.len(), length, fill };
        values.push(value.clone());
        value
    }

    /// The value of `key` that was written last.
    pub fn last(&self, key: &str) -> Option<Vec<u8>> {
        self.0.get(key)?.last().map(|value| value.bytes(key))
    }

    /// Adds what somebody else wrote.
    pub fn merge(&mut self, other: &Self) {
        for (key, values) in &other.0 {
            self.0.entry(key.clone()).or_default().extend_from_slice(values);
        }
    }

    /// The keys.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    /// How many keys there are.
    pub fn keys(&self) -> usize {
        self.0.len()
    }

    /// What the server holds. Panics at a key that was never written, and at a value that its key
    /// never had.
    pub fn judge(&self, server: &Memcached, host: &Host) -> BTreeMap<String, Vec<u8>> {
        let mut inside = server.inside(host);
        let content = server.items(host).into_keys().map(|key| {
            let values = self.0.get(&key).unwrap_or_else(|| panic!("nobody wrote {key}"));
            let held = inside.get(&key).unwrap_or_else(|| panic!("{key} was listed"));
            let head = String::from_utf8_lossy(&held[..held.len().min(60)]);
            assert!(
                values.iter().any(|value| value.length == held.len() && value.bytes(&key) == held),
                "nobody gave {key} these {} bytes: {head:?}",
                held.len()
            );
            (key, held)
        });
        content.collect()
    }
}
