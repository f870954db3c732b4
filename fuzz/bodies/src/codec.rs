//! The agent's memcached codec: whatever a server says is cut into lines and read, and whatever an item is, a request
//! for it is one request.
//!
//! It is compiled here by itself, from the agent's own files: the agent's library would bring its kernel programs and
//! a compiler for them.

#[path = "../../../mirror-agent/src/memcached/base64.rs"]
pub mod base64;
#[path = "../../../mirror-agent/src/memcached/classic.rs"]
pub mod classic;
#[path = "../../../mirror-agent/src/memcached/dump.rs"]
pub mod dump;
#[path = "../../../mirror-agent/src/memcached/key.rs"]
pub mod key;
#[path = "../../../mirror-agent/src/memcached/lines.rs"]
mod lines;
#[path = "../../../mirror-agent/src/memcached/meta.rs"]
pub mod meta;
#[path = "../../../mirror-agent/src/memcached/refusal.rs"]
pub mod refusal;
#[path = "../../../mirror-agent/src/memcached/store.rs"]
pub mod store;
#[path = "../../../mirror-agent/src/memcached/ttl.rs"]
pub mod ttl;
#[path = "../../../mirror-agent/src/memcached/uri.rs"]
pub mod uri;
#[path = "../../../mirror-agent/src/memcached/watch.rs"]
pub mod watch;

use std::num::NonZeroU64;

pub use lines::Lines;
use refusal::Refusal;
use ttl::Ttl;

/// What a line of the input was to one of the parsers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Met {
    /// An item of a list.
    Listed,
    /// A hit of meta get.
    Hit,
    /// Something that happened to an item.
    Event,
    /// Events that were left out.
    Skipped,
    /// An answer to a meta command that stores or deletes.
    Meta,
    /// An item that classic text tells.
    Value,
    /// An answer to a classic command that stores or deletes.
    Classic,
    /// An error with a name.
    Error,
    /// None of these.
    Nothing,
}

/// Checks what a server says, cut in two at the first byte's choice, and items made of the same bytes. Returns what its
/// lines were.
pub fn check(input: &[u8]) -> Vec<Met> {
    let (first, said) = input.split_first().unwrap_or((&0, &[]));
    let cut = usize::from(*first).min(said.len());
    let lines = lines_of(&[said]);
    assert_eq!(lines, lines_of(&[&said[..cut], &said[cut..]]), "cuts do not matter");
    let ended = ends(&[said]);
    assert_eq!(ended, ends(&[&said[..cut], &said[cut..]]), "nor do they for the end of a list");
    for key in [&said[..cut], said] {
        requests(key, &said[cut..]);
    }
    lines.iter().map(|line| met(line)).collect()
}

fn lines_of(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let (mut lines, mut found) = (Lines::default(), Vec::new());
    for piece in pieces {
        lines.push(piece);
        while let Some(line) = lines.next_line() {
            found.push(line.to_vec());
        }
    }
    found
}

fn ends(pieces: &[&[u8]]) -> bool {
    let mut finder = dump::EndFinder::default();
    pieces
        .iter()
        .fold(false, |ended, piece| if piece.is_empty() { ended } else { finder.ends(piece) })
}

/// Gives a line to every parser. They look for different words, so that one at most knows it.
fn met(line: &[u8]) -> Met {
    let known: Vec<Met> = [listed, hit, watched, meta, valued, classic, error]
        .into_iter()
        .filter_map(|parser| parser(line))
        .collect();
    assert!(known.len() <= 1, "a line is {known:?}");
    known.first().copied().unwrap_or(Met::Nothing)
}

fn listed(line: &[u8]) -> Option<Met> {
    let dump::Line::Item(item) = dump::Line::parse(line) else { return None };
    assert!(!item.key.is_empty() && item.key.len() < line.len());
    Some(Met::Listed)
}

fn hit(line: &[u8]) -> Option<Met> {
    // It knows the same lines, and one more.
    let _ = meta::Examined::parse(line);
    let hit = meta::Answer::parse(line);
    matches!(hit, meta::Answer::Hit(meta::Hit { length: Some(_), .. })).then_some(Met::Hit)
}

fn watched(line: &[u8]) -> Option<Met> {
    match watch::Line::parse(line) {
        watch::Line::Event(event) => {
            assert!(!event.key.is_empty() && event.key.len() < line.len());
            Some(Met::Event)
        }
        watch::Line::Skipped(_) => Some(Met::Skipped),
        watch::Line::Begin | watch::Line::Unrelated | watch::Line::Refused(_) => None,
    }
}

fn meta(line: &[u8]) -> Option<Met> {
    (!matches!(store::Reply::parse(line), store::Reply::Refused(_))).then_some(Met::Meta)
}

fn valued(line: &[u8]) -> Option<Met> {
    let classic::Line::Value(value) = classic::Line::parse(line) else { return None };
    assert!(!value.key.is_empty() && !value.key.contains(&b' '));
    Some(Met::Value)
}

fn classic(line: &[u8]) -> Option<Met> {
    (!matches!(classic::Reply::parse(line), classic::Reply::Refused(_))).then_some(Met::Classic)
}

fn error(line: &[u8]) -> Option<Met> {
    (!matches!(Refusal::parse(line), Refusal::Other(_))).then_some(Met::Error)
}

/// Writes all requests for an item, and checks that each is one: a line, of the words that it is to have, and where it
/// has a value, that value and an end of line.
fn requests(key: &[u8], value: &[u8]) {
    let number = value.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    let (cas, ttl, now) = (NonZeroU64::new(number), Ttl::Remaining(number), number.rotate_left(32));
    let sent = ttl.sent(now);
    assert!(if number == 0 { sent == -1 } else { sent > 0 }, "{ttl:?} is not {sent}");
    let mode = cas.map_or(store::Mode::Add, store::Mode::Compare);
    let named = key::Named::meta(key);
    let marks = usize::from(named.as_ref().is_some_and(|named| named.encoded));
    let numbers = usize::from(cas.is_some());

    let mut request = Vec::new();
    let item = store::Store { key, value, flags: number, ttl, mode, cas };
    assert_eq!(item.write(&mut request, now), named.is_some());
    is_one(&request, 7 + marks + 2 * numbers, Some(value));
    request.clear();
    assert_eq!(store::delete(&mut request, key, cas), named.is_some());
    is_one(&request, 2 + marks + numbers, None);
    request.clear();
    assert_eq!(meta::ask(&mut request, key, meta::Wanted::Value), named.is_some());
    is_one(&request, 5 + marks, None);

    let plain = key::Named::classic(key).is_some();
    request.clear();
    let item = classic::Item { key, value, flags: number, ttl };
    assert_eq!(item.write(&mut request, classic::Verb::Add, now), plain);
    is_one(&request, 5, Some(value));
    request.clear();
    assert_eq!(classic::delete(&mut request, key), plain);
    is_one(&request, 2, None);
    request.clear();
    assert_eq!(classic::get(&mut request, classic::Get::Unique, [key, b"more", key]), plain);
    is_one(&request, 4, None);
}

fn is_one(request: &[u8], words: usize, value: Option<&[u8]>) {
    if request.is_empty() {
        return;
    }
    let mut lines = Lines::default();
    lines.push(request);
    let line = lines.next_line().expect("a line");
    assert_eq!(line.split(|byte| *byte == b' ').count(), words);
    assert!(line.split(|byte| *byte == b' ').all(|word| !word.is_empty()));
    if let Some(value) = value {
        assert!(lines.take_bytes(value.len()) == value);
        assert_eq!(lines.next_line(), Some(&b""[..]));
    }
    assert_eq!(lines.rest(), b"");
}
