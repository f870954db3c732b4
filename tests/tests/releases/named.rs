//! Keys, flags and values of every kind survive the way to each release and back.

use std::collections::{BTreeMap, BTreeSet};

use fuzz_bodies::codec::{
    dump,
    key::Named,
    meta::{self, Answer, Hit, Wanted},
    store::{Mode, Reply, Store},
    ttl::Ttl,
};
use mirror_tests::wait;

use crate::speaker::{Server, Servers, Speaker};

/// Keys, what text calls each of them, and whether classic commands can.
fn keys() -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = [
        "user:1",
        "100%",
        "%41",
        "é日本",
        "a b",
        "line\r\nkey=x exp=-1",
        "\0",
        "\x7f",
        "END",
        "noreply",
        "0",
        "\"'\\",
        " ",
    ]
    .map(|key| key.as_bytes().to_vec())
    .to_vec();
    keys.extend([
        vec![0xff, 0x80],
        vec![b'k'; 250],
        vec![0xff; 250],
        vec![b' '; 186],
        (0..=185).collect(),
    ]);
    keys
}

/// Values of all lengths up to what a server takes, and those that look like replies.
fn values() -> Vec<Vec<u8>> {
    let looks =
        [&b""[..], b"x", b"\r\n", b"\r\nEND\r\n", b"VALUE a 0 1\r\nx\r\nEND", b"\r\nHD c1\r\n"];
    let lengths = [100, 8_191, 8_192, 8_193, 65_536, 600_000, 1_000_000];
    let long = lengths.map(|length| (0..=255).cycle().take(length).collect());
    looks.map(<[u8]>::to_vec).into_iter().chain(long).collect()
}

/// Stores an item, and panics unless every way to ask for it gives it back.
fn there_and_back(speaker: &mut Speaker, key: &[u8], value: &[u8], flags: u64, about: &str) {
    let name = key.escape_ascii();
    let item = Store { key, value, flags, ttl: Ttl::Never, mode: Mode::Set, cas: None };
    let done = |reply: Reply<'_>| matches!(reply, Reply::Done(Some(_)));
    assert!(speaker.store(&item, done), "{about}: {name} is stored");

    let mut request = Vec::new();
    assert!(meta::ask(&mut request, key, Wanted::Value));
    speaker.say(&request);
    let line = speaker.line();
    assert_eq!(
        Answer::parse(&line),
        Answer::Hit(Hit { flags, length: Some(value.len()), ..Hit::default() }),
        "{about}: {name}"
    );
    assert!(speaker.value(value.len()) == value, "{about}: the value of {name} by `mg`");

    if Named::classic(key).is_some() {
        let found = speaker.gets(&[key]);
        let [told] = &found[..] else { panic!("{about}: {name} is told once: {}", found.len()) };
        assert_eq!((&told.key[..], told.flags), (key, flags), "{about}: {name}");
        assert!(told.value == value, "{about}: the value of {name} by `gets`");
    }
}

/// What a server lists.
fn listed(server: &Server, servers: &Servers) -> BTreeMap<Vec<u8>, dump::Item> {
    wait::until("a list of all items", || {
        let mut speaker = Speaker::connect(&server.server, &servers.host);
        speaker.say(dump::REQUEST);
        let mut items = BTreeMap::new();
        loop {
            match dump::Line::parse(&speaker.line()) {
                dump::Line::Begin => {}
                dump::Line::Item(item) => {
                    items.insert(item.key.clone(), item);
                }
                dump::Line::End | dump::Line::Nothing => return Some(items),
                dump::Line::Busy => return None,
                dump::Line::Other(line) => panic!("{:?}: {}", server.release, line.escape_ascii()),
            }
        }
    })
}

#[test]
fn keys_of_every_kind() {
    let servers = Servers::start(&[]);
    for server in &servers.all {
        let about = format!("{:?}", server.release);
        let mut speaker = Speaker::connect(&server.server, &servers.host);
        for (number, key) in keys().into_iter().enumerate() {
            there_and_back(&mut speaker, &key, &key, number as u64, &about);
        }
        let want: BTreeSet<Vec<u8>> = keys().into_iter().collect();
        // memcached leaves out what it is just moving.
        let items = wait::until("a complete list", || {
            let items = listed(server, &servers);
            (items.len() >= want.len()).then_some(items)
        });
        assert_eq!(items.keys().cloned().collect::<BTreeSet<_>>(), want, "{about}");
        for (number, key) in keys().into_iter().enumerate() {
            let flags = items[&key].flags;
            assert!(flags.is_none_or(|flags| flags == number as u64), "{about}: {flags:?}");
            speaker.delete(&key, None, |reply| assert_eq!(reply, Reply::Done(None), "{about}"));
        }
        assert_eq!(server.server.stat(&servers.host, "curr_items"), 0, "{about}");
        assert_eq!(listed(server, &servers).len(), 0, "{about}");
    }
}

#[test]
fn flags_and_values_of_every_kind() {
    let servers = Servers::start(&[]);
    for server in &servers.all {
        let about = format!("{:?}", server.release);
        let mut speaker = Speaker::connect(&server.server, &servers.host);
        for flags in [0, 1, 65_537, 1 << 31, u64::from(u32::MAX)] {
            there_and_back(&mut speaker, b"flags", b"value", flags, &about);
        }
        for value in values() {
            there_and_back(&mut speaker, b"value", &value, 3, &about);
            there_and_back(&mut speaker, b"a value", &value, 3, &about);
        }
    }
}

#[test]
fn many_keys_in_one_request() {
    let servers = Servers::start(&[]);
    // Longer than what memcached takes for a line of any other command.
    let keys: Vec<Vec<u8>> = (0..500).map(|n| format!("{n:x>200}").into_bytes()).collect();
    let names: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    for server in &servers.all {
        let mut speaker = Speaker::connect(&server.server, &servers.host);
        let stored: Vec<&[u8]> = names.iter().copied().step_by(3).collect();
        let mut requests = Vec::new();
        for key in &stored {
            let (mode, ttl) = (Mode::Add, Ttl::Never);
            let item = Store { key, value: key, flags: 1, ttl, mode, cas: None };
            assert!(item.write(&mut requests, 0));
        }
        speaker.say(&requests);
        for _ in &stored {
            let line = speaker.line();
            assert!(matches!(Reply::parse(&line), Reply::Done(Some(_))), "{}", line.escape_ascii());
        }
        let found = speaker.gets(&names);
        let (names, values): (Vec<&[u8]>, Vec<&[u8]>) =
            found.iter().map(|told| (&told.key[..], &told.value[..])).unzip();
        assert!(names == stored && values == stored, "{:?}: {}", server.release, found.len());
    }
}
