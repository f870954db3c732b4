//! Copies that the network between the hosts loses, doubles or reorders.
//!
//! Each row of the table is a lab of its own, with clients of every kind. Always checked: the new
//! server holds nothing that production was not given; what it is missing has a name; no connection
//! stays behind when the network is well again; nothing leaves the new host. How much is applied is
//! printed (`--nocapture`), not judged.

use std::{thread::sleep, time::Duration};

use mirror_tests::{
    Host,
    agent::{Counters, lost},
    history::History,
    impair::Rates,
    memcached::Memcached,
    mirror::Mirror,
    traffic::{Client, Style},
};

/// Impaired copies out of all, and what a client asks for meanwhile: enough that some are impaired.
const SHARES: [(f64, usize); 3] = [(0.001, 150), (0.01, 75), (0.1, 75)];
/// A client that comes and goes has a new connection after so many requests.
const VISIT: usize = 25;
/// Times that every client stores something when the network is well again.
const ROUNDS: usize = 6;
/// The last of them that one may fail in.
const RECOVERED: usize = 4;

/// Sets and gets that a server has counted.
fn requests(server: &Memcached, host: &Host) -> [u64; 2] {
    ["cmd_set", "cmd_get"].map(|name| server.stat(host, name))
}

/// Segments that a host's TCP sent again, or for the second time.
fn sent_again(host: &Host) -> u64 {
    let text = host.shell("grep ^Tcp: /proc/net/snmp");
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
    let column = rows[0].iter().position(|name| *name == "RetransSegs").expect("a column");
    rows[1][column].parse().expect("a number")
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.1} %", 100.0 * part as f64 / whole as f64)
}

/// Clients of every style, with a connection each.
fn connect(mirror: &Mirror, kind: &str) -> Vec<Client> {
    let client = |style| Client::new(format!("{kind}-{style:?}"), style, mirror.connect());
    Style::USUAL.into_iter().map(client).collect()
}

/// Old, new and passing clients at work, all at once. Returns them with the connections they have then.
fn work(
    mirror: &Mirror,
    mut staying: Vec<Client>,
    mut passing: Vec<Client>,
    requests: usize,
) -> Vec<Client> {
    std::thread::scope(|scope| {
        for client in &mut staying {
            scope.spawn(|| client.work(requests));
        }
        for client in &mut passing {
            scope.spawn(|| {
                for _ in 0..requests / VISIT {
                    client.reconnect(mirror.connect());
                    client.work(VISIT);
                }
            });
        }
    });
    staying.extend(passing);
    staying
}

/// Has every client store something [`ROUNDS`] times. Returns how often it took until all of it
/// reached the new server.
fn recover(mirror: &Mirror, clients: &mut [Client]) -> usize {
    let mut inside = mirror.new_server.inside(&mirror.new);
    let mut recovered = 0;
    for round in 1..=ROUNDS {
        let mut stored = Vec::new();
        for client in &mut *clients {
            let key = format!("{}-well-{round}", client.name);
            client.store(&key);
            stored.push(key);
        }
        // Longer than a copy waits for one that is missing.
        sleep(Duration::from_millis(150));
        if stored.iter().any(|key| inside.get(key).is_none()) {
            recovered = round;
        }
    }
    recovered
}

/// How many keys production holds; of these, how many the new server has with the same value, and with
/// another one that they had, as a key may that two connections write at once. Panics if either holds anything that no client wrote, or the new server lacks a key that
/// begins with one of `complete`.
fn compare(mirror: &Mirror, clients: &[Client], complete: &[&str]) -> [u64; 3] {
    let mut history = History::default();
    clients.iter().for_each(|client| history.merge(&client.history));
    let old = history.judge(&mirror.old_server, &mirror.old);
    let new = history.judge(&mirror.new_server, &mirror.new);
    assert_eq!(old.len(), history.keys(), "production holds all that it was given");
    let same = old.iter().filter(|(key, value)| new.get(*key) == Some(value)).count();
    for (key, value) in &old {
        let promised = complete.iter().any(|prefix| key.starts_with(prefix));
        assert!(!promised || new.get(key) == Some(value), "{key} is missing or old");
    }
    [old.len(), same, new.len() - same].map(|count| count as u64)
}

/// What counters rose by.
fn rise(before: &Counters, after: &Counters) -> Counters {
    after.iter().map(|(name, count)| (name.clone(), count - before[name])).collect()
}

/// One row. Connections that are there when it begins lose nothing if `heals`.
fn row(name: &str, (share, count): (f64, usize), rates: Rates, redundancy: u64, heals: bool) {
    let mut mirror = Mirror::idle();
    // The old host's card cuts copies into segments, so that each has a fate of its own.
    mirror.old.output("ethtool", &["-K", "eth0", "tso", "off"]);
    let mut clients = connect(&mirror, "old");
    clients.iter_mut().for_each(|client| client.store("before"));
    mirror.start_redundant(redundancy);
    let wires = [mirror.watch_new(), mirror.watch("client")];
    // The first request of an older connection is lost.
    for _ in 0..2 {
        clients.iter_mut().for_each(|client| client.store("before"));
    }
    clients.extend(connect(&mirror, "new"));
    let passing = connect(&mirror, "passing");
    let (_, well) = mirror.settled();
    assert_eq!(well["adopted"], Style::USUAL.len() as u64, "{well:?}");
    let before =
        [requests(&mirror.old_server, &mirror.old), requests(&mirror.new_server, &mirror.new)];
    let again = sent_again(&mirror.client);

    let mut impairment = mirror.impair(rates);
    let mut clients = work(&mirror, clients, passing, count);
    let (_, after) = mirror.settled_behind(&impairment);
    let target = rise(&well, &after);
    let done = impairment.done();
    let again = sent_again(&mirror.client) - again;
    let after =
        [requests(&mirror.old_server, &mirror.old), requests(&mirror.new_server, &mirror.new)];
    let [asked, applied] =
        [0, 1].map(|server| [0, 1].map(|kind| after[server][kind] - before[server][kind]));

    impairment.end();
    let recovered = recover(&mirror, &mut clients);
    let complete: &[&str] = if heals { &["old-", "new-"] } else { &[] };
    let [keys, same, older] = compare(&mirror, &clients, complete);
    let open = |server: &Memcached, host| server.clients(host).cast_signed();
    let left = open(&mirror.new_server, &mirror.new) - open(&mirror.old_server, &mirror.old);
    println!(
        "{name} {} %: applied {} of sets, {} of gets; keys {} the same, {} older; of {} copies {} lost, \
         {} doubled, {} late; segments lost {}: {} unsynced, {} expired, {} stale; {} breaks; all well \
         after {recovered} requests; {left} connections left over",
        share * 100.0,
        percent(applied[0], asked[0]),
        percent(applied[1], asked[1]),
        percent(same, keys),
        percent(older, keys),
        done.seen,
        done.dropped,
        done.doubled,
        done.delayed,
        lost(&target),
        target["discarded_unsynced"],
        target["discarded_hold_expired"],
        target["discarded_stale"],
        target["desynced"],
    );

    for (rate, count) in
        [(rates.drop, done.dropped), (rates.double, done.doubled), (rates.delay, done.delayed)]
    {
        assert_eq!(rate > 0.0, count > 0, "the network is as bad as said: {done:?}");
    }
    assert!(applied[0] <= asked[0] && applied[1] <= asked[1], "nothing runs twice: {applied:?}");
    let explained = done.dropped + lost(&target) > 0;
    assert!(applied == asked || explained, "{applied:?} of {asked:?}: {target:?}");
    // What is called a repetition is one: nothing that is missing hides there.
    let repeated = target["discarded_duplicate"] + target["discarded_finished"];
    let second = done.seen - done.seen / redundancy;
    assert!(
        repeated <= second + done.doubled + again,
        "{repeated} of {done:?} and {again}: {target:?}"
    );
    assert!(recovered <= RECOVERED, "a connection stays behind: {recovered} of {ROUNDS} rounds");
    for wire in wires {
        assert_eq!(wire.stop(), Vec::<String>::new(), "nothing leaves the new host");
    }
}

#[test]
fn a_command_within_a_value_does_not_run_after_a_loss() {
    let mirror = Mirror::running();
    let wires = mirror.watch_leaks();
    let mut client = mirror.connect();
    client.set("a", b"1");
    mirror.settled();
    let mut network = mirror.impair(Rates { drop: 1.0, ..Rates::default() });
    client.set("lost", b"1");
    sleep(Duration::from_millis(50));
    network.end();
    client.get("z");
    // Longer than its copy waits for the one that was lost.
    sleep(Duration::from_millis(300));
    // A reply arrives in the middle of the value, which consists of commands, one to a segment.
    let evil = b"set evil 0 0 4\r\nEVIL\r\n";
    let value = evil.repeat(3);
    let mut head = format!("get b\r\nset good 0 0 {}\r\n", value.len()).into_bytes();
    head.extend_from_slice(evil);
    assert_eq!(client.ask(head, "\r\n"), b"END\r\n");
    client.send(evil);
    client.send(evil);
    assert_eq!(client.ask("\r\n", "\r\n"), b"STORED\r\n");
    for i in 0..5 {
        client.set(&format!("later{i}"), b"1");
    }
    let (_, target) = mirror.settled_behind(&network);
    // The request, and perhaps the acknowledgement of its reply.
    assert!(network.done().dropped > 0, "{:?}", network.done());
    assert_eq!(target["desynced"], 1, "{target:?}");
    let mut inside = mirror.new_server.inside(&mirror.new);
    assert_eq!(inside.get("evil"), None, "a value was run");
    assert_eq!(inside.get("later4"), Some(b"1".to_vec()), "the connection was joined: {target:?}");
    wires.assert_none();
}

#[test]
#[ignore = "long: cargo xtask field --all"]
fn lost_copies() {
    for size in SHARES {
        row("lost", size, Rates { drop: size.0, ..Rates::default() }, 1, false);
    }
}

#[test]
#[ignore = "long: cargo xtask field --all"]
fn lost_copies_with_redundancy() {
    for size in SHARES {
        row("sent twice, lost", size, Rates { drop: size.0, ..Rates::default() }, 2, false);
    }
}

#[test]
#[ignore = "long: cargo xtask field --all"]
fn doubled_copies_cost_nothing() {
    for size in SHARES {
        row("doubled", size, Rates { double: size.0, ..Rates::default() }, 1, true);
    }
}

#[test]
#[ignore = "long: cargo xtask field --all"]
fn late_copies() {
    for size in SHARES {
        // Where a tenth is late, what waits goes round for so long that some of it is given up.
        row("late", size, Rates { delay: size.0, ..Rates::default() }, 1, size.0 < 0.1);
    }
}

#[test]
fn everything_at_once() {
    for size in SHARES {
        row("all", size, Rates { drop: size.0, double: size.0, delay: size.0 }, 1, false);
    }
}
