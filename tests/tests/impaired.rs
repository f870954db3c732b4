//! Copies that the network between the hosts loses, doubles or reorders.

use std::{thread::sleep, time::Duration};

use mirror_tests::{
    agent::{Counters, lost},
    history::History,
    impair::{Impairment, Rates},
    mirror::Mirror,
    traffic::{Client, Style},
};

/// Of all copies.
const SHARES: [f64; 1] = [0.1];
/// What a client asks for while copies are impaired.
fn requests_n() -> usize { std::env::var("REQ").map_or(300, |x| x.parse().unwrap()) }
/// Times that every client stores something after that.
const ROUNDS: usize = 6;

/// How many values and keys a server was asked to store and to find.
fn requests(mirror: &Mirror) -> [[u64; 2]; 2] {
    let of = |server: &mirror_tests::memcached::Memcached, host| {
        ["cmd_set", "cmd_get"].map(|name| server.stat(host, name))
    };
    [of(&mirror.old_server, &mirror.old), of(&mirror.new_server, &mirror.new)]
}

fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole as f64
}

fn connect(mirror: &Mirror, kind: &str) -> Vec<Client> {
    Style::ALL
        .into_iter()
        .map(|style| Client::new(format!("{kind}{style:?}"), style, mirror.connect()))
        .collect()
}

/// One row of the table.
fn run(name: &str, share: f64, rates: Rates) {
    let mirror = Mirror::idle();
    // The old host's card cuts copies into segments, so that each has a fate of its own.
    mirror.old.output("ethtool", &["-K", "eth0", "tso", "off"]);
    let mut clients = connect(&mirror, "old");
    for client in &mut clients {
        client.store(&format!("{}-0", client.name));
    }
    mirror.start();
    let wires = [mirror.watch_new(), mirror.watch("client")];
    clients.extend(connect(&mirror, "new"));
    mirror.settled();
    let mut impairment = Impairment::begin(&mirror, rates);
    let mut churning = connect(&mirror, "churn");

    let before = requests(&mirror);
    std::thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| client.work(requests_n()));
        }
        for client in &mut churning {
            let mirror = &mirror;
            scope.spawn(move || {
                for _ in 0..requests_n() / 20 {
                    client.work(20);
                    client.reconnect(mirror.connect());
                }
            });
        }
    });
    clients.extend(churning);
    let (_, target) = mirror.settled_behind(&impairment);
    let after = requests(&mirror);
    let done = impairment.done();
    impairment.end();

    let new_keys = |keys: Vec<String>, mirror: &Mirror| {
        let mut inside = mirror.new_server.inside(&mirror.new);
        keys.into_iter().map(|key| inside.get(&key).is_some()).collect::<Vec<_>>()
    };
    let mut recovered = 0;
    for round in 0..ROUNDS {
        let keys: Vec<String> =
            clients.iter().map(|client| format!("{}-calm-{round}", client.name)).collect();
        for (client, key) in clients.iter_mut().zip(&keys) {
            client.store(key);
        }
        sleep(Duration::from_millis(150));
        let there = new_keys(keys, &mirror);
        if there.contains(&false) {
            recovered = round + 1;
        }
    }
    let (_, end) = mirror.settled_behind(&impairment);

    let mut history = History::default();
    clients.iter().for_each(|client| history.merge(&client.history));
    let old = history.judge(&mirror.old_server, &mirror.old);
    let new = history.judge(&mirror.new_server, &mirror.new);
    let same = new.iter().filter(|(key, value)| old.get(*key) == Some(value)).count();
    let delta = |server: usize, kind: usize| after[server][kind] - before[server][kind];
    let sockets = |server: &mirror_tests::memcached::Memcached, host| {
        server.stat(host, "curr_connections")
    };
    println!(
        "{name} {:>4} %: {done:?}; sets {} {:.2} %, gets {} {:.2} %, keys {} same {:.1} % older {:.1} % missing {:.1} %; recovered {recovered}; sockets {} {}; {:?}",
        share * 100.0,
        delta(0, 0),
        percent(delta(1, 0), delta(0, 0)),
        delta(0, 1),
        percent(delta(1, 1), delta(0, 1)),
        old.len(),
        percent(same as u64, old.len() as u64),
        percent((new.len() - same) as u64, old.len() as u64),
        percent((old.len() - new.len()) as u64, old.len() as u64),
        sockets(&mirror.old_server, &mirror.old),
        sockets(&mirror.new_server, &mirror.new),
        end.iter().filter(|(_, count)| **count > 0).collect::<Vec<_>>(),
    );
    let _ = (lost(&target), Counters::new());
    for wire in wires {
        assert_eq!(wire.stop(), Vec::<String>::new(), "nothing leaves the new host");
    }
}

#[test]
fn losing() {
    for share in SHARES {
        run("drop", share, Rates { drop: share, ..Rates::default() });
    }
}

#[test]
fn doubled() {
    for share in SHARES {
        run("double", share, Rates { double: share, ..Rates::default() });
    }
}

#[test]
fn reordered() {
    for share in SHARES {
        run("delay", share, Rates { delay: share, ..Rates::default() });
    }
}

#[test]
fn all_at_once() {
    for share in SHARES {
        run("mix", share, Rates { drop: share, double: share, delay: share });
    }
}
