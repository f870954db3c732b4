//! How clients of the field speak: in quiet batches, through a proxy, thousands of keys at once, without replies, by
//! line feeds alone, and with long rests.

use std::thread;

use mirror_tests::{
    expected::to_fail,
    history::History,
    mirror::Mirror,
    traffic::{Client, Style},
};

const STYLES: [Style; 6] = [
    Style::NoReply,
    Style::QuietBinary,
    Style::Proxy,
    Style::Multiget,
    Style::LineFeeds,
    Style::Pausing,
];
/// What a client asks for: a member of a pool rests twice meanwhile.
const REQUESTS: usize = 40;

/// A client of each style, with a connection each.
fn connect(mirror: &Mirror, kind: &str) -> Vec<Client> {
    let client = |style| Client::new(format!("{kind}-{style:?}"), style, mirror.connect());
    STYLES.into_iter().map(client).collect()
}

/// Panics if a server holds what no client wrote.
fn judge(mirror: &Mirror, clients: &[Client]) {
    let mut history = History::default();
    clients.iter().for_each(|client| history.merge(&client.history));
    let held = history.judge(&mirror.old_server, &mirror.old).len();
    assert_eq!(held, history.keys(), "production holds all that it was given");
    assert!(held > 100, "production was given something");
    history.judge(&mirror.new_server, &mirror.new);
}

#[test]
fn new_connections_lose_nothing_and_older_ones_are_joined() {
    let mirror = Mirror::idle();
    let mut clients = connect(&mirror, "older");
    // Of a connection: what its client stored twice, behind its other requests.
    let last = |client: &Client| [1, 2].map(|number| format!("last{number}-{}", client.name));
    clients.iter_mut().for_each(|client| client.store(&last(client)[0]));
    mirror.start();
    let leaks = mirror.watch_leaks();
    clients.extend(connect(&mirror, "new"));
    thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| client.work(REQUESTS));
        }
    });
    mirror.settled();
    for client in &mut clients {
        last(client).iter().for_each(|key| client.store(key));
    }
    let (_, target) = mirror.settled();
    leaks.assert_none();
    assert_eq!(target["opened"], STYLES.len() as u64, "{target:?}");
    judge(&mirror, &clients);
    let (older, new) = clients.split_at(STYLES.len());
    for client in new {
        let own = |key: &&String| key.starts_with(&client.name);
        mirror.assert_copied(client.history.names().filter(own).chain(&last(client)));
    }
    for client in older {
        let judgement = || mirror.assert_copied(last(client));
        if client.style() == Style::NoReply {
            let reason = "a boundary is proven by replies only";
            to_fail(reason, "2 of 2 keys are missing on the new server", judgement);
        } else {
            judgement();
        }
    }
}
