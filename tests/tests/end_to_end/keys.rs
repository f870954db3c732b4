//! `keys`: what a memcached holds, as it says itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use mirror_tests::{Host, Lab, agent::binary, client, host::Running, memcached::Memcached, wait};
use serde_json::{Value, json};

const PORT: u16 = 11211;
const COUNT: usize = 20_000;

/// An item as it is stored.
#[derive(Clone, Debug)]
struct Stored {
    key: Vec<u8>,
    ttl: u64,
    flags: u32,
    length: usize,
}

impl Stored {
    /// What memcached of 1.6.10 and later on a machine of 64 bits takes for it: a header, a unique number, the key and
    /// its end, flags where there are any, the value and its end.
    fn size(&self) -> u64 {
        let flags = if self.flags == 0 { 0 } else { 4 };
        (48 + 8 + self.key.len() + 1 + flags + self.length + 2) as u64
    }

    fn request(&self) -> Vec<u8> {
        let Self { key, ttl, flags, length } = self;
        let head = format!(" {flags} {ttl} {length} noreply\r\n");
        [b"set ", key.as_slice(), head.as_bytes(), &vec![b'v'; *length], b"\r\n"].concat()
    }
}

/// Items with names, times to live, flags and sizes of every kind.
fn items() -> Vec<Stored> {
    let names: [fn(usize) -> Vec<u8>; 8] = [
        |n| format!("user:{n}").into_bytes(),
        |n| format!("100%_{n}").into_bytes(),
        |n| format!("%41{n}").into_bytes(),
        |n| format!("é{n}日本").into_bytes(),
        |n| format!("\"quoted'\\{n}").into_bytes(),
        |n| [b"\xff\x80", n.to_string().as_bytes()].concat(),
        |n| format!("{n:x>250}").into_bytes(),
        |n| format!("key={n}&exp=-1+END").into_bytes(),
    ];
    (0..COUNT)
        .map(|n| Stored {
            key: names[n % names.len()](n),
            ttl: if n % 3 == 0 { 0 } else { 1000 + n as u64 },
            flags: [0, 1, 65_537, u32::MAX][n % 4],
            length: n % 1500,
        })
        .collect()
}

fn store(server: &Memcached, host: &Host, items: &[Stored]) {
    let mut connection = server.inside(host);
    for some in items.chunks(200) {
        connection.send(&some.iter().flat_map(Stored::request).collect::<Vec<u8>>());
        connection.ask("mn\r\n", "MN\r\n");
    }
}

/// A lab of two hosts, one of which has a cache.
struct Cache {
    operator: Host,
    host: Host,
    server: Memcached,
    _lab: Lab,
}

impl Cache {
    fn empty() -> Self {
        let mut lab = Lab::new();
        let (operator, host) = (lab.host("operator"), lab.host("cache"));
        let server = Memcached::start(&host, PORT);
        Self { operator, host, server, _lab: lab }
    }

    fn full() -> (Self, Vec<Stored>) {
        let (cache, items) = (Self::empty(), items());
        store(&cache.server, &cache.host, &items);
        // memcached leaves out what it is just moving.
        cache.own_list();
        (cache, items)
    }

    /// What `keys --json` prints.
    fn json(&self, options: &str) -> Vec<Value> {
        let text = self.operator.agent_ok(&format!("keys {} --json {options}", self.host.v4()));
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }

    /// memcached's own list, in its order, when nothing moves between its LRU lists any more.
    fn own_list(&self) -> Vec<u8> {
        let mut before = Vec::new();
        wait::until("a list that stays the same", || {
            sleep(Duration::from_millis(300));
            let now = self.own_list_now();
            let same = now == before;
            before = now;
            same.then(|| before.clone())
        })
    }

    fn own_list_now(&self) -> Vec<u8> {
        wait::until("a list of all items", || {
            let mut connection = self.server.inside(&self.host);
            connection.send(b"lru_crawler metadump all\r\n");
            let list = connection.read_until(b"\r\n");
            (!list.starts_with(b"BUSY")).then_some(list)
        })
    }
}

/// A key as the documents of `keys --json` have it.
fn name(document: &Value) -> Vec<u8> {
    match document["key"].as_str() {
        Some(key) => key.as_bytes().to_vec(),
        None => {
            let text = document["key_encoded"].as_str().expect("a key has one form or the other");
            let mut parts = text.split('%');
            let mut key = parts.next().unwrap_or_default().as_bytes().to_vec();
            for part in parts {
                key.push(u8::from_str_radix(&part[..2], 16).expect("two digits"));
                key.extend_from_slice(&part.as_bytes()[2..]);
            }
            key
        }
    }
}

fn names(documents: &[Value]) -> BTreeSet<Vec<u8>> {
    documents.iter().map(name).collect()
}

/// Compares a list with what was stored.
fn assert_lists(documents: &[Value], items: &[Stored], flags: bool) {
    assert_eq!(documents.len(), items.len());
    let by_name: BTreeMap<Vec<u8>, &Value> =
        documents.iter().map(|document| (name(document), document)).collect();
    for item in items {
        let document = by_name
            .get(&item.key)
            .unwrap_or_else(|| panic!("{} is missing", item.key.escape_ascii()));
        assert_eq!(document["size"], item.size(), "{document}");
        assert_eq!(document["read"], false, "{document}");
        assert!(document["class"].as_u64().is_some_and(|class| class > 0), "{document}");
        assert!(document["idle"].as_u64().is_some_and(|idle| idle < 60), "{document}");
        if flags {
            assert_eq!(document["flags"], item.flags, "{document}");
        }
        match item.ttl {
            0 => assert_eq!(document["expires_in"], Value::Null, "{document}"),
            ttl => {
                let left = document["expires_in"].as_u64().expect("it expires");
                assert!(left <= ttl + 1 && left + 60 > ttl, "{ttl}: {document}");
            }
        }
    }
}

#[test]
fn every_key_and_no_trace() {
    let (cache, items) = Cache::full();
    // One that was read, to see that the flag can be seen.
    let mut connection = cache.server.inside(&cache.host);
    assert_eq!(connection.ask("mg user:8 h\r\n", "\r\n"), b"HD h0\r\n");
    let (before, own) = (cache.server.stats(&cache.host), cache.own_list());
    let documents = cache.json("");
    let after = cache.server.stats(&cache.host);
    for counter in ["cmd_get", "get_hits", "get_misses", "cmd_touch", "cmd_set", "curr_items"] {
        assert_eq!(before[counter], after[counter], "{counter}");
    }
    // The order of memcached's list is that of its LRU lists.
    assert!(own == cache.own_list_now(), "the list changed what it lists");
    assert_eq!(connection.ask("mg user:16 h\r\n", "\r\n"), b"HD h0\r\n");

    let (read, unread): (Vec<Value>, Vec<Value>) =
        documents.into_iter().partition(|document| document["key"] == "user:8");
    assert_eq!(read[0]["read"], true, "{read:?}");
    let others: Vec<Stored> = items.into_iter().filter(|item| item.key != b"user:8").collect();
    assert_lists(&unread, &others, false);
}

#[test]
fn flags_of_every_key() {
    let (cache, items) = Cache::full();
    let documents = cache.json("--flags");
    assert_lists(&documents, &items, true);
    // Asking for them is no access.
    assert!(cache.json("").iter().all(|document| document["read"] == false));
}

#[test]
fn values() {
    let (cache, items) = Cache::full();
    let documents = cache.json("--values 700");
    assert_lists(&documents, &items, false);
    let by_name: BTreeMap<Vec<u8>, &Value> =
        documents.iter().map(|document| (name(document), document)).collect();
    for item in &items {
        let document = by_name[&item.key];
        let want = (item.length <= 700).then(|| "v".repeat(item.length));
        assert_eq!(document["value"].as_str(), want.as_deref(), "{document}");
    }
    assert!(cache.json("").iter().all(|document| document["read"] == false));

    let mut connection = cache.server.inside(&cache.host);
    connection.set("bytes", b"\xff\r\nEND\r\n");
    connection.set("large", &vec![b'x'; 1_000_000]);
    assert_eq!(cache.json("--prefix bytes --values 9")[0]["value_base64"], "/w0KRU5EDQo=");
    let large = &cache.json("--prefix large --values 1000000")[0];
    assert_eq!(large["value"].as_str().map(str::len), Some(1_000_000));
    assert_eq!(cache.json("--prefix large --values 999999")[0]["value"], Value::Null);
    let table =
        cache.operator.agent_ok(&format!("keys {} --prefix bytes --values 9", cache.host.v4()));
    assert!(table.ends_with(" bytes %FF%0D%0AEND%0D%0A\n"), "{table}");
}

#[test]
fn keys_of_the_binary_protocol() {
    let cache = Cache::empty();
    let mut connection = cache.server.inside(&cache.host);
    let long = " ".repeat(187);
    for key in ["a b", "line\r\nkey=x", &long] {
        let extras = [0, 0, 0, 7, 0, 0, 0, 0];
        connection.send(&client::binary(1, &extras, key, b"value"));
        assert_eq!(connection.read_exact(24)[6..8], [0, 0], "{key:?} is stored");
    }
    let documents = cache.json("--flags");
    let flags: BTreeMap<&str, &Value> = documents
        .iter()
        .map(|document| (document["key"].as_str().expect("UTF-8"), &document["flags"]))
        .collect();
    // A key of 187 such bytes has 252 in base64, which are too many for memcached.
    let null = Value::Null;
    let known = json!(7);
    assert_eq!(
        flags,
        BTreeMap::from([("a b", &known), ("line\r\nkey=x", &known), (long.as_str(), &null)])
    );
    let table = cache.operator.agent_ok(&format!("keys {} --prefix line", cache.host.v4()));
    assert_eq!(table.lines().count(), 2, "{table}");
    assert!(table.ends_with(" line%0D%0Akey=x\n"), "{table}");
}

#[test]
fn parts_of_a_cache() {
    let (cache, items) = Cache::full();
    let beginning = |prefixes: &[&str]| -> BTreeSet<Vec<u8>> {
        let of = |key: &[u8]| prefixes.iter().any(|prefix| key.starts_with(prefix.as_bytes()));
        items.iter().map(|item| item.key.clone()).filter(|key| of(key)).collect()
    };
    assert_eq!(names(&cache.json("--prefix user:")), beginning(&["user:"]));
    assert_eq!(names(&cache.json("--prefix é1 --prefix 100%")), beginning(&["é1", "100%"]));
    assert_eq!(cache.json("--prefix nothing").len(), 0);

    let all: BTreeSet<Vec<u8>> = items.iter().map(|item| item.key.clone()).collect();
    let (one, other) = (names(&cache.json("--sample 500")), names(&cache.json("--sample 500")));
    for sample in [&one, &other] {
        assert!(sample.len() == 500 && sample.is_subset(&all));
    }
    assert_ne!(one, other, "a sample is random");
    let users = names(&cache.json("--sample 100 --prefix user:"));
    assert!(users.len() == 100 && users.is_subset(&beginning(&["user:"])));
    assert_eq!(names(&cache.json("--sample 30000")), all);

    for count in [1, 777] {
        assert_eq!(cache.json(&format!("--limit {count}")).len(), count);
        assert_eq!(cache.json(&format!("--limit {count} --flags")).len(), count);
    }
}

#[test]
fn a_table_on_every_kind_of_address() {
    let cache = Cache::empty();
    let v6 = format!("[{}]", cache.host.v6());
    let empty = cache.operator.agent_ok(&format!("keys {v6}"));
    let columns = ["SIZE", "EXPIRES-IN", "IDLE", "READ", "FLAGS", "CLASS", "KEY"];
    assert_eq!(empty.split_whitespace().collect::<Vec<_>>(), columns);

    cache.server.inside(&cache.host).set("user:1", b"value");
    for server in [v6.clone(), format!("{v6}:{PORT}"), cache.host.v4().to_string()] {
        let table = cache.operator.agent_ok(&format!("keys {server}"));
        let row: Vec<&str> = table.lines().nth(1).expect("a row").split_whitespace().collect();
        assert_eq!((row.len(), row[0], row[1], row[3], row[6]), (7, "70", "never", "no", "user:1"));
    }
    let table = cache.host.agent_ok("keys localhost");
    assert!(table.contains("user:1"), "{table}");
}

#[test]
fn neither_privileges_nor_a_bpf_file_system() {
    let cache = Cache::empty();
    let output = cache
        .operator
        .command("setpriv")
        .args(["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--"])
        .arg(binary())
        .args(["--bpffs", "/nonexistent", "keys", &cache.host.v4().to_string()])
        .output()
        .expect("setpriv is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The agent, with an output that the test reads or not.
fn unread(cache: &Cache, options: &[&str]) -> Running {
    let mut command: Command = cache.operator.command(binary());
    command.arg("keys").arg(cache.host.v4().to_string()).args(options);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Running(command.spawn().expect("the agent can be started"))
}

#[test]
fn an_output_that_stands_still_does_not_hold_memcached_back() {
    let (cache, items) = Cache::full();
    assert!(cache.own_list_now().len() > 1 << 20, "a list that no pipe holds");
    let mut agent = unread(&cache, &["--json"]);
    let mut output = agent.0.stdout.take().expect("a pipe");
    let mut text = vec![0];
    output.read_exact(&mut text).expect("the list begins");
    wait::until("the end of the list", || {
        (cache.server.stat(&cache.host, "lru_crawler_running") == 0).then_some(())
    });
    let socket = format!("dport = :{PORT}");
    wait::until("all of it to be taken off the socket", || {
        let sockets = cache.operator.output("ss", &["-Htn", "state", "all", &socket]);
        let waits = sockets.lines().any(|line| line.split_whitespace().nth(1) != Some("0"));
        (!waits).then_some(())
    });
    output.read_to_end(&mut text).expect("the rest of the list");
    assert!(agent.0.wait().expect("the agent ends").success());
    assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), items.len());
}

#[test]
fn who_reads_the_output_may_have_enough() {
    let (cache, _) = Cache::full();
    let mut agent = unread(&cache, &[]);
    let mut output = agent.0.stdout.take().expect("a pipe");
    output.read_exact(&mut [0; 100]).expect("the list begins");
    drop(output);
    assert!(agent.0.wait().expect("the agent ends").success());
    let mut said = String::new();
    agent.0.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
    assert_eq!(said, "");
}
