//! Watchers say on every release what happened.

use std::{collections::BTreeSet, num::NonZeroU64, time::Instant};

use fuzz_bodies::codec::{
    refusal::Refusal,
    store::{Mode, Reply, Store},
    ttl::Ttl,
    watch::{self, Command, Event, Line, Sought, Stored, What},
};
use mirror_tests::{release::Release, wait};

use crate::speaker::{Server, Servers, Speaker};

/// What is asked for when all else is done.
const LAST: &[u8] = b"the last";

/// Begins to watch, by the request that this release understands.
fn watch(server: &Server, servers: &Servers) -> Speaker {
    let mut watcher = Speaker::connect(&server.server, &servers.host);
    watcher.say(watch::REQUEST);
    if server.release == Release::Bookworm {
        let refused = Line::Refused(Refusal::Unknown(b""));
        assert_eq!(Line::parse(&watcher.line()), refused, "deletions are unknown");
        watcher.say(watch::WITHOUT_DELETIONS);
    }
    assert_eq!(Line::parse(&watcher.line()), Line::Begin, "{:?}", server.release);
    watcher
}

/// All events until somebody asked for [`LAST`].
fn events(watcher: &mut Speaker) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let line = watcher.line();
        match Line::parse(&line) {
            Line::Event(event) if event.key == LAST => return events,
            Line::Event(event) => events.push(event),
            other => panic!("{other:?}"),
        }
    }
}

fn ask_for_the_last(speaker: &mut Speaker) {
    speaker.say(b"mg dGhlIGxhc3Q= b\r\n");
    assert_eq!(speaker.line(), b"EN");
}

/// Key and what happened to it, of a client that has to be the same in all of them.
fn told(events: Vec<Event>) -> Vec<(String, u64, What)> {
    let mut clients = BTreeSet::new();
    let told = events
        .into_iter()
        .map(|mut event| {
            if let What::Sought { client, .. } | What::Stored { client, .. } = &mut event.what {
                clients.insert(client.take().expect("these releases tell"));
            }
            let key = String::from_utf8(event.key).expect("the keys of this test are UTF-8");
            (key, event.size.expect("these releases tell"), event.what)
        })
        .collect();
    assert_eq!(clients.len(), 1, "{clients:?}");
    told
}

#[test]
fn what_a_client_does() {
    // A single thread tells all in order.
    let servers = Servers::start(&["-t", "1"]);
    for server in &servers.all {
        let mut watcher = watch(server, &servers);
        let mut speaker = Speaker::connect(&server.server, &servers.host);
        let item = |key, value, mode, ttl| Store { key, value, flags: 1, ttl, mode, cas: None };
        let wrong = Mode::Compare(NonZeroU64::MAX);
        let hour = Ttl::Remaining(3_600);
        for (item, done) in [
            (item(b"a b", b"xy", Mode::Add, hour), true),
            (item(b"a b", b"", Mode::Add, Ttl::Never), false),
            (item("é\r\n".as_bytes(), b"", Mode::Set, Ttl::Never), true),
            (item(b"a b", b"xyz", wrong, Ttl::Never), false),
            (item(b"nothing", b"xyz", wrong, Ttl::Never), false),
            (item(b"nothing", b"xyz", Mode::Replace, Ttl::Never), false),
        ] {
            assert_eq!(speaker.store(&item, |reply| matches!(reply, Reply::Done(_))), done);
        }
        speaker.gets(&[b"first", b"second"]);
        speaker.delete(b"a b", None, |reply| assert_eq!(reply, Reply::Done(None)));
        speaker.delete(b"a b", None, |reply| assert_eq!(reply, Reply::NotFound));
        ask_for_the_last(&mut speaker);

        let sought =
            |key: &str, size, result| (key.to_owned(), size, What::Sought { result, client: None });
        let stored = |key: &str, size, command, result, ttl| {
            (key.to_owned(), size, What::Stored { result, command, ttl, client: None })
        };
        let mut want = vec![
            sought("a b", 0, Sought::NotFound),
            stored("a b", 2, Command::Add, Stored::Stored, hour),
            sought("a b", 2, Sought::Found),
            stored("a b", 0, Command::Add, Stored::NotStored, Ttl::Never),
            sought("é\r\n", 0, Sought::NotFound),
            stored("é\r\n", 0, Command::Set, Stored::Stored, Ttl::Never),
            sought("a b", 2, Sought::Found),
            stored("a b", 3, Command::Cas, Stored::Exists, Ttl::Never),
            sought("nothing", 0, Sought::NotFound),
            stored("nothing", 3, Command::Cas, Stored::NotFound, Ttl::Never),
            sought("nothing", 0, Sought::NotFound),
            stored("nothing", 3, Command::Replace, Stored::NotStored, Ttl::Never),
            sought("first", 0, Sought::NotFound),
            sought("second", 0, Sought::NotFound),
            sought("a b", 2, Sought::Found),
            ("a b".to_owned(), 2, What::Deleted),
            sought("a b", 0, Sought::NotFound),
        ];
        if server.release == Release::Bookworm {
            want.retain(|(.., what)| *what != What::Deleted);
        }
        let events = events(&mut watcher);
        assert!(events.windows(2).all(|pair| pair[0].number < pair[1].number), "{events:?}");
        let now = speaker.now();
        assert!(events.iter().all(|event| event.at.as_secs().abs_diff(now) < 60), "{events:?}");
        assert_eq!(told(events), want, "{:?}", server.release);
    }
}

#[test]
fn what_has_to_make_room() {
    const COUNT: usize = 300;
    let servers = Servers::start(&["-t", "1", "-m", "16"]);
    for server in &servers.all {
        let mut watcher = watch(server, &servers);
        let mut speaker = Speaker::connect(&server.server, &servers.host);
        let value = vec![b'x'; 100_000];
        let keys: Vec<String> = (0..COUNT).map(|n| format!("large {n}")).collect();
        for key in &keys {
            let (ttl, mode) = (Ttl::Remaining(500), Mode::Set);
            let item = Store { key: key.as_bytes(), value: &value, flags: 0, ttl, mode, cas: None };
            assert!(speaker.store(&item, |reply| matches!(reply, Reply::Done(_))));
        }
        ask_for_the_last(&mut speaker);
        let evicted: BTreeSet<Vec<u8>> = events(&mut watcher)
            .into_iter()
            .filter(|event| match event.what {
                What::Evicted { fetched, ttl, idle } => {
                    assert!(!fetched && idle < 60 && event.size == Some(100_000), "{event:?}");
                    assert!(matches!(ttl, Ttl::Remaining(430..=501)), "{event:?}");
                    true
                }
                _ => false,
            })
            .map(|event| event.key)
            .collect();
        let gone = |key: &&String| {
            speaker.say(
                &[b"mg ", &fuzz_bodies::codec::base64::base64(key.as_bytes())[..], b" b\r\n"]
                    .concat(),
            );
            speaker.line() == b"EN"
        };
        let gone: BTreeSet<Vec<u8>> =
            keys.iter().filter(gone).map(|key| key.as_bytes().to_vec()).collect();
        assert!(gone.len() > 50, "{:?}: {} of {COUNT} are gone", server.release, gone.len());
        assert_eq!(evicted, gone, "{:?}", server.release);
    }
}

#[test]
fn what_a_watcher_is_too_slow_for() {
    const AT_ONCE: usize = 500;
    let servers = Servers::start(&["-t", "1"]);
    let request = [b"mg ", &[b'k'; 250][..], b"\r\n"].concat().repeat(AT_ONCE);
    for server in &servers.all {
        let mut watcher = watch(server, &servers);
        let mut speaker = Speaker::connect(&server.server, &servers.host);
        wait::until("events that are left out", || {
            speaker.say(&request);
            (0..AT_ONCE).for_each(|_| assert_eq!(speaker.line(), b"EN"));
            (server.server.stat(&servers.host, "log_watcher_skipped") > 0).then_some(())
        });
        // Numbers say how many were left out, and where.
        let (mut before, mut skipped, mut all, mut last) = (None, 0, 0, false);
        let deadline = Instant::now() + wait::DEADLINE;
        while !last {
            assert!(Instant::now() < deadline, "{:?}: no end of events", server.release);
            ask_for_the_last(&mut speaker);
            while let Some(line) = watcher.line_soon() {
                match Line::parse(&line) {
                    Line::Skipped(count) => skipped += count,
                    Line::Event(event) => {
                        let left_out = before.map_or(0, |before| event.number - before - 1);
                        assert_eq!(left_out, skipped, "{:?}: {event:?}", server.release);
                        all += skipped;
                        (before, skipped) = (Some(event.number), 0);
                        last |= event.key == LAST;
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        assert!(all > 0, "{:?}: the watcher was told of what was left out", server.release);
    }
}

#[test]
fn what_has_nothing_to_do_with_items() {
    let servers = Servers::start(&[]);
    for server in &servers.all {
        let mut watcher = Speaker::connect(&server.server, &servers.host);
        watcher.say(b"watch connevents\r\n");
        assert_eq!(Line::parse(&watcher.line()), Line::Begin);
        drop(Speaker::connect(&server.server, &servers.host));
        // Connections of a moment ago may still be closed, and threads tell in any order.
        let mut expected = BTreeSet::from(["type=conn_new", "type=conn_close"]);
        while !expected.is_empty() {
            let line = watcher.line();
            assert_eq!(Line::parse(&line), Line::Unrelated, "{}", line.escape_ascii());
            let text = String::from_utf8_lossy(&line).into_owned();
            expected.retain(|word| !text.contains(word));
        }
    }
}

#[test]
fn servers_that_may_not_be_watched() {
    let servers = Servers::start(&["-W"]);
    for server in &servers.all {
        let mut watcher = Speaker::connect(&server.server, &servers.host);
        watcher.say(watch::REQUEST);
        let line = watcher.line();
        let refused = Line::Refused(Refusal::Client(b"watch commands not allowed"));
        assert_eq!(Line::parse(&line), refused, "{:?}", server.release);
    }
}
