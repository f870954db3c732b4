//! `compare`: whether a new memcached holds what an old one holds.

use std::{
    collections::BTreeMap,
    process::Output,
    sync::atomic::{AtomicBool, Ordering},
    thread::{scope, sleep},
    time::Duration,
};

use mirror_tests::{Host, Lab, agent::binary, client, memcached::Memcached, wait};
use serde_json::{Value, json};

const PORT: u16 = 11211;

/// An operator's host, and two with a cache each.
struct Caches {
    operator: Host,
    old: Host,
    new: Host,
    old_server: Memcached,
    new_server: Memcached,
    _lab: Lab,
}

impl Caches {
    fn empty() -> Self {
        Self::with(&[])
    }

    /// With options for both servers.
    fn with(options: &[&str]) -> Self {
        let mut lab = Lab::new();
        let (operator, old, new) = (lab.host("operator"), lab.host("old"), lab.host("new"));
        let old_server = Memcached::start_with(&old, PORT, options);
        let new_server = Memcached::start_with(&new, PORT, options);
        Self { operator, old, new, old_server, new_server, _lab: lab }
    }

    /// With the same items on both.
    fn same(count: usize) -> Self {
        let caches = Self::empty();
        let requests: String = (0..count)
            .map(|n| {
                let value = "v".repeat(n % 900);
                let ttl = if n % 2 == 0 { 0 } else { 5000 };
                format!("set key:{n} {n} {ttl} {} noreply\r\n{value}\r\n", value.len())
            })
            .collect();
        caches.both(&requests);
        caches
    }

    /// Sends requests that want no reply to both servers.
    fn both(&self, requests: &str) {
        self.to_old(requests);
        self.to_new(requests);
    }

    fn to_old(&self, requests: &str) {
        store(&self.old_server, &self.old, requests);
    }

    fn to_new(&self, requests: &str) {
        store(&self.new_server, &self.new, requests);
    }

    fn compare(&self, options: &str) -> Output {
        self.operator.agent(&format!("compare {}={} {options}", self.old.v4(), self.new.v4()))
    }

    /// The first pair of the document, and the exit code.
    fn document(&self, options: &str) -> (Value, Option<i32>) {
        let output = self.compare(&format!("{options} --json"));
        let document: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        (document["pairs"][0].clone(), output.status.code())
    }
}

fn store(server: &Memcached, host: &Host, requests: &str) {
    let mut connection = server.inside(host);
    connection.send(requests.as_bytes());
    connection.ask("mn\r\n", "MN\r\n");
}

/// How many keys came out how, without those that are none.
fn counts(pair: &Value) -> BTreeMap<&str, u64> {
    let keys = pair["keys"].as_object().unwrap_or_else(|| panic!("no keys: {pair}"));
    let counts = keys.iter().map(|(name, count)| (name.as_str(), count.as_u64().expect("a count")));
    let counts: BTreeMap<&str, u64> = counts.filter(|(_, count)| *count > 0).collect();
    let all = counts.get("compared").copied().unwrap_or_default();
    assert_eq!(counts.values().sum::<u64>(), 2 * all, "every key is counted once: {counts:?}");
    counts
}

#[test]
fn two_that_are_the_same_and_no_trace() {
    const KEYS: u64 = 5000;
    let caches = Caches::same(5000);
    let servers = [(&caches.old_server, &caches.old), (&caches.new_server, &caches.new)];
    let before = servers.map(|(server, host)| (server.stats(host), server.items(host)));
    for options in ["--full", "--sample 6000"] {
        let (pair, code) = caches.document(options);
        assert_eq!(
            counts(&pair),
            BTreeMap::from([("compared", KEYS), ("same", KEYS)]),
            "{options}"
        );
        assert_eq!((&pair["verdict"], code), (&json!("same"), Some(0)));
        assert_eq!((&pair["listed_old"], &pair["listed_new"]), (&json!(KEYS), &json!(KEYS)));
    }
    for ((server, host), (stats, items)) in servers.into_iter().zip(before) {
        let after = server.stats(host);
        for counter in ["get_misses", "cmd_set", "cmd_touch", "curr_items"] {
            assert_eq!(stats[counter], after[counter], "{counter}");
        }
        // Whether it was read since it was stored, among others.
        assert!(items == server.items(host), "the comparison changed an item");
    }
}

#[test]
fn every_kind_of_difference() {
    let caches = Caches::same(1000);
    caches.to_new("delete key:1 noreply\r\ndelete key:2 noreply\r\n");
    caches.to_old("delete key:3 noreply\r\n");
    caches.to_new("set only 0 0 1 noreply\r\nx\r\n");
    caches.to_new("set key:4 4 0 4 noreply\r\nVVVV\r\nset key:6 6 0 5 noreply\r\nvvvvv\r\n");
    caches.to_new("set key:8 9 0 8 noreply\r\nvvvvvvvv\r\n");
    caches.to_new(
        "touch key:5 9000 noreply\r\ntouch key:7 0 noreply\r\ntouch key:10 100 noreply\r\n",
    );
    // Within what copies may be late.
    caches.to_new("touch key:9 5001 noreply\r\n");
    let long = " ".repeat(187);
    for (server, host) in [(&caches.old_server, &caches.old), (&caches.new_server, &caches.new)] {
        let mut connection = server.inside(host);
        for key in ["a b\r\n", &long] {
            connection.send(&client::binary(1, &[0; 8], key, b"value"));
            assert_eq!(connection.read_exact(24)[6..8], [0, 0], "{key:?} is stored");
        }
    }
    let want = |same, compared, unreadable| {
        BTreeMap::from([
            ("compared", compared),
            ("same", same),
            ("missing", 2),
            ("extra", 2),
            ("stale", 2),
            ("flags", 1),
            ("ttl", 3),
            ("unreadable", unreadable),
        ])
    };
    let examples = |pair: &Value| -> BTreeMap<String, String> {
        let examples = pair["examples"].as_array().expect("a list");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        examples.iter().map(|one| (text(&one["key_encoded"]), text(&one["difference"]))).collect()
    };
    let differ = [
        ("key:1", "missing"),
        ("key:2", "missing"),
        ("key:3", "extra"),
        ("only", "extra"),
        ("key:4", "stale"),
        ("key:6", "stale"),
        ("key:8", "flags"),
        ("key:5", "ttl"),
        ("key:7", "ttl"),
        ("key:10", "ttl"),
    ];
    let differ: BTreeMap<String, String> =
        differ.map(|(key, what)| (key.to_owned(), what.to_owned())).into();
    for options in ["--full", "--sample 5000"] {
        let (pair, code) = caches.document(&format!("{options} --show --wait 1s"));
        assert_eq!(counts(&pair), want(992, 1003, 1), "{options}");
        assert_eq!((&pair["verdict"], code), (&json!("wrong"), Some(11)));
        assert_eq!(examples(&pair), differ, "{options}");
    }

    let output = caches.compare("--full --show --wait 1s --prefix key:4 --prefix only");
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let stale =
        "stale key:4 (old: 4 bytes, flags 4, never expires; new: 4 bytes, flags 4, never expires)";
    assert!(table.contains(stale), "{table}");
    assert!(table.contains("extra only (old: none; new: "), "{table}");
    assert!(
        table.ends_with("\nwrong: clients of the new side would have wrong answers\n"),
        "{table}"
    );
}

#[test]
fn what_is_only_missing() {
    let caches = Caches::same(2000);
    caches.to_new("delete key:7 noreply\r\n");
    let before = caches.new_server.stat(&caches.new, "get_misses");
    let (pair, code) = caches.document("--full --wait 1s");
    assert_eq!((&pair["keys"]["missing"], &pair["verdict"]), (&json!(1), &json!("missing")));
    assert_eq!(code, Some(10));
    assert_eq!(caches.new_server.stat(&caches.new, "get_misses"), before, "no miss is counted");
    for (options, want) in [
        ("--full --allow 0.1%", 0),
        ("--full --allow 0.01%", 10),
        ("--sample 2000 --allow 1%", 0),
        // One of 2000 is few, but it may be more of all.
        ("--sample 2000 --allow 0.1%", 12),
        ("--full --prefix key:1", 0),
    ] {
        let output = caches.compare(&format!("{options} --wait 1s"));
        assert_eq!(output.status.code(), Some(want), "{options}");
    }
    let table = caches.compare("--sample 300 --prefix key:1").stdout;
    let table = String::from_utf8_lossy(&table).into_owned();
    assert!(
        table.contains("wrong on the new side: 0 of 300 keys (0.99% of all keys at most"),
        "{table}"
    );
}

#[test]
fn what_clients_change_meanwhile_is_no_difference() {
    let caches = Caches::same(100);
    let keys: String = (0..20).map(|n| format!("set count:{n} 0 0 1 noreply\r\n0\r\n")).collect();
    caches.both(&keys);
    let stop = AtomicBool::new(false);
    scope(|scope| {
        scope.spawn(|| {
            let count: String = (0..20).map(|n| format!("incr count:{n} 1 noreply\r\n")).collect();
            while !stop.load(Ordering::Relaxed) {
                caches.to_old(&count);
                sleep(Duration::from_millis(20));
            }
        });
        // What is late, but comes.
        caches.to_old("set late 0 0 5 noreply\r\nvalue\r\ndelete key:1 noreply\r\n");
        scope.spawn(|| {
            sleep(Duration::from_millis(1500));
            caches.to_new("set late 0 0 5 noreply\r\nvalue\r\ndelete key:1 noreply\r\n");
        });
        let (pair, code) = caches.document("--full --wait 2s");
        stop.store(true, Ordering::Relaxed);
        let counts = counts(&pair);
        assert_eq!((counts["volatile"], code), (20, Some(0)), "{counts:?}");
        assert_eq!(counts["same"] + counts["gone"], 101, "{counts:?}");
    });
    // They stand still, and are different.
    let (pair, code) = caches.document("--full --wait 1s");
    assert_eq!((&pair["keys"]["stale"], code), (&json!(20), Some(11)));
}

/// Without unique numbers a change can only be seen by what changed.
#[test]
fn servers_without_unique_numbers() {
    let caches = Caches::with(&["-C"]);
    caches.both("set same 0 0 1 noreply\r\n0\r\nset count 0 0 1 noreply\r\n0\r\n");
    let stop = AtomicBool::new(false);
    scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                caches.to_old("incr count 1 noreply\r\n");
                sleep(Duration::from_millis(20));
            }
        });
        let (pair, code) = caches.document("--full --wait 1s");
        stop.store(true, Ordering::Relaxed);
        assert_eq!(counts(&pair), BTreeMap::from([("compared", 2), ("same", 1), ("volatile", 1)]));
        assert_eq!(code, Some(0));
    });
}

#[test]
fn servers_that_close_idle_connections() {
    let caches = Caches::with(&["-o", "idle_timeout=1"]);
    caches.to_old("set missing 0 0 1 noreply\r\nx\r\n");
    let (pair, code) = caches.document("--full --wait 3s");
    assert_eq!((&pair["keys"]["missing"], code), (&json!(1), Some(10)));
}

#[test]
fn a_large_value_and_one_that_is_marked_as_stale() {
    let caches = Caches::empty();
    let large = "x".repeat(1_000_000);
    for host in [(&caches.old_server, &caches.old), (&caches.new_server, &caches.new)] {
        let mut connection = host.0.inside(host.1);
        connection.set("large", large.as_bytes());
        connection.set("other", large.as_bytes());
        connection.set("marked", b"value");
        assert_eq!(connection.ask("md marked I T300\r\n", "\r\n"), b"HD\r\n");
    }
    let mut changed = large.clone().into_bytes();
    *changed.last_mut().expect("a byte") = b'y';
    caches.new_server.inside(&caches.new).set("other", &changed);
    let output = caches.compare("--full --wait 1s --show");
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.contains("stale other (old: 1000000 bytes"), "{table}");
    assert!(table.contains("wrong on the new side: 1 of 3 keys\n"), "{table}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("1 items of") && said.contains("marked as stale"), "{said}");
}

#[test]
fn several_pairs_and_one_that_fails() {
    let caches = Caches::same(10);
    let _old = Memcached::start(&caches.old, PORT + 1);
    let _new = Memcached::start(&caches.new, PORT + 1);
    store(&_old, &caches.old, "set missing 0 0 1 noreply\r\nx\r\n");
    let (old, new) = (caches.old.v4(), format!("[{}]", caches.new.v6()));
    let range = format!("{old}:{PORT}-{}={new}:{PORT}-{}", PORT + 1, PORT + 1);
    let output = caches.operator.agent(&format!("compare {range} --wait 1s"));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let last: Vec<&str> = table.lines().filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(last[..3], ["VERDICT", "same", "missing"], "{table}");
    assert_eq!(output.status.code(), Some(10));

    let more = format!("compare {range} {old}:1={new}:1 --wait 1s --json");
    let output = caches.operator.agent(&more);
    assert_eq!(output.status.code(), Some(1));
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&document["verdict"], &document["failed"]), (&Value::Null, &json!(1)));
    let error = document["pairs"][2]["error"].as_str().expect("an error");
    assert!(error.contains("cannot connect to"), "{error}");
    assert_eq!(document["pairs"][1]["verdict"], "missing");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let caches = Caches::empty();
    for (arguments, code, mentions) in [
        ("compare", 2, "OLD=NEW"),
        ("compare a", 2, "expected OLD=NEW"),
        ("compare a:1-3=b:1-2", 2, "partner"),
        ("compare a=b --full --sample 7", 2, "cannot be used with"),
        ("compare a=b --rounds 1", 2, "rounds"),
    ] {
        let output = caches.operator.agent(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments}: {said}");
        assert!(said.contains(mentions), "{arguments}: {said}");
    }
    let closed = Memcached::start_with(&caches.old, PORT + 1, &["-X"]);
    let output = caches.operator.agent(&format!(
        "compare {}:{}={}",
        caches.old.v4(),
        PORT + 1,
        caches.new.v4()
    ));
    assert_eq!(output.status.code(), Some(1));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.contains("does not list its items"), "{table}");
    drop(closed);
}

#[test]
fn neither_privileges_nor_a_bpf_file_system() {
    let caches = Caches::same(10);
    let pair = format!("{}={}", caches.old.v4(), caches.new.v4());
    let output = caches
        .operator
        .command("setpriv")
        .args(["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--"])
        .arg(binary())
        .args(["--bpffs", "/nonexistent", "compare", &pair])
        .output()
        .expect("setpriv is installed");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Each connection has its own port towards a server, though they are few, and one that was closed is not free at once.
#[test]
fn many_times_in_a_row() {
    let caches = Caches::same(3);
    for _ in 0..30 {
        assert_eq!(caches.document("").1, Some(0));
    }
    let said = wait::until("one that says nothing", || {
        let output = caches.compare("");
        output.stderr.is_empty().then_some(output)
    });
    assert!(said.status.success());
}
