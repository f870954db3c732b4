//! `keys` shows the same of every release.

use std::collections::BTreeMap;

use mirror_tests::{Host, client, release::Release, wait};
use serde_json::{Value, json};

use crate::speaker::{Server, Servers};

/// An item as it is stored.
struct Stored {
    key: String,
    flags: u32,
    ttl: u64,
    value: String,
}

impl Stored {
    /// What memcached of 1.6.10 and later on a machine of 64 bits takes for it.
    fn size(&self) -> usize {
        let flags = if self.flags == 0 { 0 } else { 4 };
        48 + 8 + self.key.len() + 1 + flags + self.value.len() + 2
    }
}

/// Items with names, flags, times and values of every kind; those of the binary protocol are the last.
fn items() -> Vec<Stored> {
    let names = ["user:", "100%", "%41", "é日本", "\"'\\", "key=x&exp=-1+END"];
    let text = (0..900).map(|n| format!("{}{n}", names[n % names.len()]));
    let binary = ["a b", "line\r\nkey=x", "\u{7f}\0"].map(str::to_owned);
    let names = text.chain([format!("{:k>250}", 1)]).chain(binary);
    names
        .enumerate()
        .map(|(n, key)| Stored {
            key,
            flags: [0, 7, u32::MAX][n % 3],
            ttl: [0, 5_000][n % 2],
            value: "v".repeat(n),
        })
        .collect()
}

/// Stores them, those by the binary protocol that text has no name for.
fn store(server: &Server, host: &Host, items: &[Stored]) {
    // A connection is for one protocol.
    let (mut by_text, mut by_binary) = (server.server.inside(host), server.server.inside(host));
    for item in items {
        let Stored { key, flags, ttl, value } = item;
        if key.contains(|letter| letter <= ' ' || letter == '\u{7f}') {
            let extras = [flags.to_be_bytes(), u32::try_from(*ttl).expect("small").to_be_bytes()];
            by_binary.send(&client::binary(1, &extras.concat(), key, value.as_bytes()));
            assert_eq!(by_binary.read_exact(24)[6..8], [0, 0], "{key:?} is stored");
        } else {
            let request = format!("set {key} {flags} {ttl} {}\r\n{value}\r\n", value.len());
            assert_eq!(by_text.ask(request, "\r\n"), b"STORED\r\n", "{key}");
        }
    }
}

/// What `keys --json` says of each key.
fn keys(server: &Server, servers: &Servers, options: &str) -> BTreeMap<String, Value> {
    let verb = format!("keys {}:{} --json {options}", servers.host.v4(), server.port);
    let text = servers.operator.agent_ok(&verb);
    let documents = text.lines().map(|line| {
        let document: Value = serde_json::from_str(line).expect("a line is JSON");
        (document["key"].as_str().expect("UTF-8").to_owned(), document)
    });
    documents.collect()
}

#[test]
fn items_of_every_kind() {
    let (servers, items) = (Servers::start(&[]), items());
    for server in &servers.all {
        store(server, &servers.host, &items);
        // memcached leaves out what it is just moving.
        let plain = wait::until("all keys", || {
            let found = keys(server, &servers, "");
            (found.len() >= items.len()).then_some(found)
        });
        let flags = keys(server, &servers, "--flags");
        let values = keys(server, &servers, "--values 1000");
        // From 1.6.24 on, memcached lists them.
        let listed = server.release != Release::Bookworm;
        for (found, flags, with_values) in
            [(plain, listed, false), (flags, true, false), (values, true, true)]
        {
            assert_eq!(found.len(), items.len(), "{:?}", server.release);
            for item in &items {
                let document = &found[&item.key];
                let about = format!("{:?}: {document}", server.release);
                assert_eq!(document["size"], item.size(), "{about}");
                assert_eq!(document["read"], false, "{about}");
                let want = if flags { json!(item.flags) } else { Value::Null };
                assert_eq!(document["flags"], want, "{about}");
                match item.ttl {
                    0 => assert_eq!(document["expires_in"], Value::Null, "{about}"),
                    ttl => {
                        let left = document["expires_in"].as_u64().expect("it expires");
                        assert!(left <= ttl + 1 && left + 60 > ttl, "{about}");
                    }
                }
                if with_values {
                    assert_eq!(document["value"], item.value, "{about}");
                }
            }
        }
    }
}

#[test]
fn caches_without_items() {
    let servers = Servers::start(&[]);
    for server in &servers.all {
        for options in ["", "--flags", "--values 10", "--sample 5"] {
            assert_eq!(keys(server, &servers, options), BTreeMap::new(), "{:?}", server.release);
        }
        let address = format!("{}:{}", servers.host.v4(), server.port);
        let table = servers.operator.agent_ok(&format!("keys {address}"));
        assert_eq!(table.lines().count(), 1, "{:?}: {table}", server.release);
    }
}

#[test]
fn servers_that_may_not_list() {
    let servers = Servers::start(&["-X"]);
    for server in &servers.all {
        let address = format!("{}:{}", servers.host.v4(), server.port);
        let refused = servers.operator.agent_refuses(&format!("keys {address}"));
        assert!(refused.contains("metadump not allowed"), "{:?}: {refused}", server.release);
    }
}
