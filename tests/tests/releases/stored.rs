//! Requests that store and delete do on every release what they say.

use std::num::NonZeroU64;

use fuzz_bodies::codec::{
    classic::{self, Item, Verb},
    refusal::Refusal,
    store::{Mode, Reply, Store},
    ttl::Ttl,
};
use mirror_tests::release::Release;

use crate::speaker::{Servers, Speaker, Told};

const ITEM: Store<'_> =
    Store { key: b"a", value: b"first", flags: 5, ttl: Ttl::Never, mode: Mode::Set, cas: None };

/// [`ITEM`] with another value, as it is told.
fn told(cas: u64, value: &[u8]) -> Told {
    Told { key: b"a".to_vec(), flags: 5, cas: Some(cas), value: value.to_vec() }
}

/// The unique number of a reply that has to have one.
fn cas(reply: Reply<'_>) -> NonZeroU64 {
    match reply {
        Reply::Done(Some(cas)) => cas,
        reply => panic!("{reply:?}"),
    }
}

#[test]
fn modes_and_unique_numbers() {
    let servers = Servers::start(&[]);
    for server in &servers.all {
        let release = server.release;
        let mut speaker = Speaker::connect(&server.server, &servers.host);
        let item = |mode, value| Store { mode, value, ..ITEM };
        let holds = |speaker: &mut Speaker, cas: NonZeroU64, value: &[u8]| {
            let found = speaker.gets(&[b"a"]);
            assert_eq!(found, [told(cas.get(), value)], "{release:?}");
        };

        let none = |speaker: &mut Speaker, mode, want| {
            speaker
                .store(&item(mode, b"x"), |reply| assert_eq!(reply, want, "{release:?} {mode:?}"));
        };
        none(&mut speaker, Mode::Replace, Reply::NotStored);
        none(&mut speaker, Mode::Compare(NonZeroU64::MIN), Reply::NotFound);
        assert_eq!(speaker.gets(&[b"a"]), [], "{release:?}");
        speaker.delete(b"a", None, |reply| assert_eq!(reply, Reply::NotFound));
        speaker.delete(b"a", Some(NonZeroU64::MIN), |reply| assert_eq!(reply, Reply::NotFound));

        let first = speaker.store(&item(Mode::Add, b"first"), cas);
        none(&mut speaker, Mode::Add, Reply::NotStored);
        holds(&mut speaker, first, b"first");
        let second = speaker.store(&item(Mode::Replace, b""), cas);
        holds(&mut speaker, second, b"");
        none(&mut speaker, Mode::Compare(first), Reply::Differs);
        holds(&mut speaker, second, b"");
        let third = speaker.store(&item(Mode::Compare(second), b"third"), cas);
        holds(&mut speaker, third, b"third");
        let fourth = speaker.store(&item(Mode::Set, b"fourth"), cas);
        speaker.delete(b"a", Some(third), |reply| assert_eq!(reply, Reply::Differs));
        holds(&mut speaker, fourth, b"fourth");
        speaker.delete(b"a", Some(fourth), |reply| assert_eq!(reply, Reply::Done(None)));
        assert_eq!(speaker.gets(&[b"a"]), [], "{release:?}");
    }
}

#[test]
fn unique_numbers_of_the_clients_choice() {
    let servers = Servers::start(&[]);
    for server in &servers.all {
        let mut speaker = Speaker::connect(&server.server, &servers.host);
        for number in [77, u64::MAX] {
            let item = Store { cas: NonZeroU64::new(number), ..ITEM };
            if server.release == Release::Bookworm {
                let refused = Reply::Refused(Refusal::Client(b"invalid flag"));
                speaker.store(&item, |reply| assert_eq!(reply, refused));
                assert_eq!(speaker.gets(&[b"a"]), []);
            } else {
                assert_eq!(speaker.store(&item, cas).get(), number, "{:?}", server.release);
                assert_eq!(speaker.gets(&[b"a"]), [told(number, b"first")], "{:?}", server.release);
            }
        }
    }
}

#[test]
fn servers_without_unique_numbers() {
    let servers = Servers::start(&["-C"]);
    for server in &servers.all {
        let mut speaker = Speaker::connect(&server.server, &servers.host);
        speaker.store(&ITEM, |reply| assert_eq!(reply, Reply::Done(None), "{:?}", server.release));
        assert_eq!(speaker.gets(&[b"a"]), [told(0, b"first")], "{:?}", server.release);
    }
}

#[test]
fn flags_of_more_bits_than_a_server_has() {
    let servers = Servers::start(&[]);
    let item = Store { flags: 1 << 32 | 5, ..ITEM };
    for server in &servers.all {
        let mut speaker = Speaker::connect(&server.server, &servers.host);
        if server.release == Release::Sid {
            let refused = Reply::Refused(Refusal::Client(b"bad command line format"));
            speaker.store(&item, |reply| assert_eq!(reply, refused));
        } else {
            // Without an error, the lower half.
            let cas = speaker.store(&item, cas);
            assert_eq!(speaker.gets(&[b"a"]), [told(cas.get(), b"first")], "{:?}", server.release);
        }
    }
}

#[test]
fn values_that_are_too_large() {
    let servers = Servers::start(&[]);
    for server in &servers.all {
        let mut speaker = Speaker::connect(&server.server, &servers.host);
        let large = vec![b'x'; 1_100_000];
        let refusal = Refusal::Server(b"object too large for cache");
        for mode in [Mode::Set, Mode::Add, Mode::Replace] {
            speaker.store(&ITEM, cas);
            let item = Store { mode, value: &large, ..ITEM };
            speaker.store(&item, |reply| assert_eq!(reply, Reply::Refused(refusal)));
            assert_eq!(speaker.gets(&[b"a"]), [], "{:?}: gone, for {mode:?}", server.release);
        }
        let (item, now) =
            (Item { key: b"a", value: &large, flags: 0, ttl: Ttl::Never }, speaker.now());
        for verb in [Verb::Set, Verb::Add] {
            speaker.store(&ITEM, cas);
            let mut request = Vec::new();
            assert!(item.write(&mut request, verb, now));
            speaker.say(&request);
            let line = speaker.line();
            assert_eq!(classic::Reply::parse(&line), classic::Reply::Refused(refusal));
            // Classic `add` leaves it alone.
            let left = usize::from(verb == Verb::Add);
            assert_eq!(speaker.gets(&[b"a"]).len(), left, "{:?}: {verb:?}", server.release);
        }
    }
}

#[test]
fn classic_commands() {
    let servers = Servers::start(&[]);
    for server in &servers.all {
        let mut speaker = Speaker::connect(&server.server, &servers.host);
        let now = speaker.now();
        let mut ask = |write: &dyn Fn(&mut Vec<u8>) -> bool, want| {
            let mut request = Vec::new();
            assert!(write(&mut request));
            speaker.say(&request);
            let line = speaker.line();
            assert_eq!(classic::Reply::parse(&line), want, "{:?}", server.release);
        };
        let item = Item { key: b"a", value: b"END\r\n", flags: 9, ttl: Ttl::Never };
        ask(&|request| classic::delete(request, b"a"), classic::Reply::NotFound);
        ask(&|request| item.write(request, Verb::Add, now), classic::Reply::Stored);
        ask(&|request| item.write(request, Verb::Add, now), classic::Reply::NotStored);
        ask(&|request| item.write(request, Verb::Set, now), classic::Reply::Stored);
        let found = speaker.gets(&[b"nothing", b"a"]);
        let [told] = &found[..] else { panic!("one item: {found:?}") };
        assert_eq!((&told.key[..], told.flags, &told.value[..]), (&b"a"[..], 9, &b"END\r\n"[..]));
        let mut request = Vec::new();
        assert!(classic::delete(&mut request, b"a"));
        speaker.say(&request);
        assert_eq!(classic::Reply::parse(&speaker.line()), classic::Reply::Deleted);
        assert_eq!(speaker.gets(&[b"a"]), []);
    }
}
