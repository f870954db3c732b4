//! `compare`: whether a new memcached holds what an old one holds.

use std::{
    collections::BTreeMap,
    process::{Output, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread::{scope, sleep},
    time::{Duration, Instant},
};

use mirror_tests::{Host, Lab, agent::binary, client, memcached::Memcached, wait};
use nix::sys::signal::Signal;
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
        Self::same_with(count, &[])
    }

    /// The same, with options for both servers.
    fn same_with(count: usize, options: &[&str]) -> Self {
        let caches = Self::with(options);
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

    /// Compares when memcached does not move items between its LRU lists, as it does when they were stored or read:
    /// its own list leaves out what it is just moving.
    fn compare(&self, options: &str) -> Output {
        let keys = |server: &Memcached, host| -> Vec<String> {
            let mut connection = server.inside(host);
            connection.send(b"lru_crawler metadump all\r\n");
            let list = String::from_utf8_lossy(&connection.read_until(b"\r\n")).into_owned();
            list.lines().filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect()
        };
        let mut before = Vec::new();
        // Where clients come and go, it is never the same twice.
        for _ in 0..5 {
            let now =
                [keys(&self.old_server, &self.old), keys(&self.new_server, &self.new)].concat();
            if now == before {
                break;
            }
            before = now;
            sleep(Duration::from_millis(100));
        }
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
    let hits = || servers.map(|(server, host)| server.stat(host, "get_hits"));
    for options in ["--full", "--sample 6000"] {
        let was = hits();
        let (pair, code) = caches.document(options);
        assert_eq!(hits(), was.map(|hits| hits + KEYS), "each key is read once");
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

    // By gets, nobody knows when an item expires, and keys with blanks have no name.
    let (pair, code) = caches.document("--full --gets --wait 1s");
    let counts = counts(&pair);
    assert_eq!((counts["same"], counts["stale"], counts["unreadable"]), (994, 2, 2), "{counts:?}");
    assert_eq!((counts.get("ttl"), code), (None, Some(11)), "{counts:?}");
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
        // One of 2000 is few, and all are known; of a sample that has none, there may be more.
        ("--sample 3000 --allow 0.1%", 0),
        ("--sample 200 --allow 3%", 0),
        ("--sample 200 --prefix key:1 --allow 0.1%", 12),
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

/// Has others stop, also where a test fails.
pub(crate) struct Stop<'a>(pub(crate) &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `judge` while this goes to the old server all the time, and to the new one as well, some 200 ms later.
fn meanwhile(caches: &Caches, requests: &str, is_copied: bool, judge: impl FnOnce()) {
    const LATE: usize = 10;
    let stop = AtomicBool::new(false);
    scope(|scope| {
        scope.spawn(|| {
            for turn in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                caches.to_old(requests);
                if is_copied && turn >= LATE {
                    caches.to_new(requests);
                }
                sleep(Duration::from_millis(20));
            }
        });
        let _stop = Stop(&stop);
        judge();
    });
}

const COUNTERS: usize = 20;

/// A request about each of some keys.
fn about_each(request: impl Fn(usize) -> String) -> String {
    (0..COUNTERS).map(request).collect()
}

#[test]
fn what_clients_change_meanwhile_is_no_difference() {
    for options in [&[][..], &["-C"]] {
        let caches = Caches::same_with(1000, options);
        caches.both(&about_each(|n| format!("set count:{n} 0 0 1 noreply\r\n0\r\n")));
        let count = about_each(|n| format!("incr count:{n} 1 noreply\r\n"));
        meanwhile(&caches, &count, true, || {
            let (pair, code) = caches.document("--full --wait 2s");
            let counts = counts(&pair);
            let want = [("compared", 1020), ("same", 1000), ("volatile", COUNTERS as u64)];
            assert_eq!(counts, BTreeMap::from(want), "{options:?}");
            assert_eq!(code, Some(0));
        });
        // They stand still, and are different.
        let (pair, code) = caches.document("--full --wait 1s");
        assert_eq!((&pair["keys"]["stale"], code), (&json!(COUNTERS), Some(11)), "{options:?}");
    }
}

/// A mirror that copies nothing is found out by what changes all the time, too.
#[test]
fn what_clients_change_and_nobody_copies_is_different() {
    for options in [&[][..], &["-C"]] {
        let caches = Caches::same_with(1000, options);
        caches.both(&about_each(|n| format!("set count:{n} 0 0 1 noreply\r\n0\r\n")));
        let change = about_each(|n| {
            format!("incr count:{n} 1 noreply\r\nset fresh:{n} 0 0 1 noreply\r\nx\r\n")
        });
        meanwhile(&caches, &change, false, || {
            let (pair, code) = caches.document("--full --wait 1s");
            let counts = counts(&pair);
            assert_eq!((counts["stale"], counts["missing"]), (20, 20), "{options:?}: {counts:?}");
            assert_eq!(code, Some(11));
        });
    }
}

/// Locks, which are there or not at the moment that somebody looks.
#[test]
fn what_comes_and_goes_is_no_difference() {
    let caches = Caches::same(1000);
    let flap = about_each(|n| {
        format!("add lock:{n} 0 0 1 noreply\r\nx\r\n{}delete lock:{n} noreply\r\n", "mn\r\n")
    });
    meanwhile(&caches, &flap, true, || {
        for _ in 0..3 {
            // Longer than a busy machine keeps a client between its two commands.
            let (pair, code) = caches.document("--full --wait 3s");
            assert_eq!(code, Some(0), "{pair}");
        }
    });
}

#[test]
fn what_is_late_is_no_difference() {
    let caches = Caches::same(100);
    let late = "set late 0 0 5 noreply\r\nvalue\r\ndelete key:1 noreply\r\n";
    caches.to_old(late);
    scope(|scope| {
        scope.spawn(|| {
            sleep(Duration::from_millis(1500));
            caches.to_new(late);
        });
        let (pair, code) = caches.document("--sample 1000 --wait 4s");
        let counts = counts(&pair);
        assert_eq!(counts["same"] + counts.get("gone").unwrap_or(&0), counts["compared"]);
        assert_eq!(code, Some(0));
    });
}

/// A client that marks an item as stale does not change its value.
#[test]
fn a_mark_that_was_lost_and_numbers_with_padding() {
    let caches = Caches::same(100);
    caches.to_old("md key:6 I\r\n");
    // One leaves a space behind it, the other does not.
    caches.to_old("set n 0 0 3 noreply\r\n100\r\ndecr n 1 noreply\r\n");
    caches.to_new("set n 0 0 2 noreply\r\n99\r\n");
    let (pair, code) = caches.document("--full --wait 1s --show");
    assert_eq!((&pair["keys"]["stale"], &pair["keys"]["same"]), (&json!(1), &json!(100)));
    let example = &pair["examples"][0];
    assert_eq!(
        (&example["key_encoded"], &example["old"]["marked_stale"]),
        (&json!("key:6"), &json!(true))
    );
    assert_eq!(code, Some(11));
}

#[test]
fn nothing_to_compare_proves_nothing() {
    for caches in [Caches::empty(), Caches::same(10)] {
        for options in ["--full --prefix nothing", "--prefix nothing"] {
            let output = caches.compare(options);
            let table = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(output.status.code(), Some(12), "{table}");
            assert!(table.ends_with("unproven: no key was there to be compared\n"), "{table}");
        }
    }
}

#[test]
fn the_same_server_twice_is_refused() {
    let caches = Caches::same(10);
    let (v4, port) = (caches.old.v4(), PORT);
    let output = caches.operator.agent(&format!("compare {v4}={v4}:{port}"));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.contains("are the same server"), "{table}");
    assert_eq!(output.status.code(), Some(1));
}

/// The other's list is long, and nobody needs it.
#[test]
fn a_server_that_refuses_ends_the_comparison() {
    let caches = Caches::same(30_000);
    let _closed = Memcached::start_with(&caches.new, PORT + 1, &["-X"]);
    for options in ["--sample 10", "--full"] {
        let pair = format!("{}={}:{}", caches.old.v4(), caches.new.v4(), PORT + 1);
        let output = caches.operator.agent(&format!("compare {pair} {options}"));
        assert_eq!(output.status.code(), Some(1), "{options}");
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(table.contains("does not list its items"), "{table}");
    }
}

#[test]
fn a_server_that_is_started_anew_meanwhile() {
    let mut caches = Caches::same(10);
    caches.to_new("delete key:1 noreply\r\n");
    let pair = format!("{}={}", caches.old.v4(), caches.new.v4());
    let mut command = caches.operator.command(binary());
    command.args(["compare", &pair, "--wait", "4s"]).stdout(Stdio::piped());
    let agent = command.spawn().expect("the agent can be started");
    wait::until("the comparison to begin", || {
        (caches.new_server.stat(&caches.new, "get_hits") > 0).then_some(())
    });
    caches.new_server.signal(Signal::SIGKILL);
    caches.new_server = Memcached::start(&caches.new, PORT);
    let output = agent.wait_with_output().expect("the agent ends");
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.contains("was restarted meanwhile"), "{table}");
    assert_eq!(output.status.code(), Some(1));
}

/// Each key of both lists counts, also those that were compared before.
#[test]
fn no_more_keys_in_a_second_than_are_allowed() {
    let caches = Caches::same(1000);
    let began = Instant::now();
    assert_eq!(caches.document("--full --rate 1000").1, Some(0));
    assert!(began.elapsed() > Duration::from_millis(1700), "{:?}", began.elapsed());
    caches.both(&format!("set large 0 0 100000 noreply\r\n{}\r\n", "x".repeat(100_000)));
    let began = Instant::now();
    assert_eq!(caches.document("--full --bandwidth 1mbit").1, Some(0));
    assert!(began.elapsed() > Duration::from_millis(700), "{:?}", began.elapsed());
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
    assert_eq!(said.matches("were marked as stale").count(), 2, "{said}");

    // By gets, nobody takes the right to renew: the next client has it.
    let mut client = caches.old_server.inside(&caches.old);
    assert_eq!(client.ask("md marked I T300\r\n", "\r\n"), b"HD\r\n");
    let output = caches.compare("--full --gets --wait 1s --prefix marked");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("times to live are not compared"), "{said}");
    assert!(!said.contains("marked as stale"), "{said}");
    assert_eq!(client.ask("mg marked\r\n", "\r\n"), b"HD X W\r\n");
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
    for _ in 0..40 {
        let output = caches.compare("");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(output.status.code(), Some(0));
    }
}
