//! Items live as long as they were told to, on every release.

use fuzz_bodies::codec::{
    classic::{self, Item, Verb},
    store::{Mode, Reply, Store},
    ttl::Ttl,
};

use crate::speaker::{Servers, Speaker};

const DAY: u64 = 86_400;

/// What a server says of the time that an item has left; `None` of one that it does not have.
fn left(speaker: &mut Speaker, key: &[u8]) -> Option<Ttl> {
    speaker.say(&[b"mg ", key, b" t u\r\n"].concat());
    let line = String::from_utf8(speaker.line()).expect("flags are text");
    if line == "EN" {
        return None;
    }
    let number = line.strip_prefix("HD t").and_then(|number| number.parse().ok());
    Some(Ttl::told(number.unwrap_or_else(|| panic!("no time: {line}"))))
}

/// Panics unless an item has what it was given, or a little less: a server's clock ticks once a second, and a machine
/// may be busy.
fn judge(given: Ttl, left: Option<Ttl>, about: &str) {
    match (given, left) {
        (Ttl::Never, left) => assert_eq!(left, Some(Ttl::Never), "{about}"),
        (Ttl::Remaining(0), left) => assert_eq!(left, None, "{about}"),
        (Ttl::Remaining(given), Some(Ttl::Remaining(left))) => {
            assert!(left <= given + 2 && left + 20 > given, "{about}: {given} became {left}");
        }
        (given, left) => panic!("{about}: {given:?} became {left:?}"),
    }
}

#[test]
fn as_long_as_they_were_told_to() {
    let servers = Servers::start(&[]);
    let times = [0, 60, 3_600, DAY, 30 * DAY - 1, 30 * DAY, 30 * DAY + 1, 40 * DAY, 5 * 365 * DAY];
    for server in &servers.all {
        let mut speaker = Speaker::connect(&server.server, &servers.host);
        let now = speaker.now();
        // The end of 31 bits is what is left until 2038.
        let most = i32::MAX as u64 - now;
        let times = times.into_iter().chain([most - 10]).map(Ttl::Remaining).chain([Ttl::Never]);
        for ttl in times {
            let about = format!("{:?}, {ttl:?}", server.release);
            let item =
                Store { key: b"meta", value: b"", flags: 0, ttl, mode: Mode::Set, cas: None };
            let done = speaker.store(&item, |reply| matches!(reply, Reply::Done(Some(_))));
            assert!(done, "{about}");
            judge(ttl, left(&mut speaker, b"meta"), &about);

            let item = Item { key: b"classic", value: b"", flags: 0, ttl };
            let mut request = Vec::new();
            assert!(item.write(&mut request, Verb::Set, now));
            speaker.say(&request);
            assert_eq!(classic::Reply::parse(&speaker.line()), classic::Reply::Stored, "{about}");
            judge(ttl, left(&mut speaker, b"classic"), &about);
        }
        // More than can be said is as much as can be said.
        let ttl = Ttl::Remaining(u64::MAX);
        let item = Store { key: b"meta", value: b"", flags: 0, ttl, mode: Mode::Set, cas: None };
        assert!(speaker.store(&item, |reply| matches!(reply, Reply::Done(Some(_)))));
        judge(Ttl::Remaining(most), left(&mut speaker, b"meta"), "the end of time");
    }
}

#[test]
fn an_item_without_time_takes_the_place_of_another_one() {
    let servers = Servers::start(&[]);
    for server in &servers.all {
        let mut speaker = Speaker::connect(&server.server, &servers.host);
        let item =
            Store { key: b"a", value: b"x", flags: 0, ttl: Ttl::Never, mode: Mode::Set, cas: None };
        let done = |reply: Reply<'_>| matches!(reply, Reply::Done(Some(_)));
        assert!(speaker.store(&item, done));
        let over = Ttl::Remaining(0);
        speaker.store(&Store { ttl: over, mode: Mode::Add, ..item }, |reply| {
            assert_eq!(reply, Reply::NotStored, "{:?}", server.release);
        });
        assert_eq!(left(&mut speaker, b"a"), Some(Ttl::Never), "{:?}", server.release);
        assert!(speaker.store(&Store { ttl: over, ..item }, done));
        assert_eq!(left(&mut speaker, b"a"), None, "{:?}", server.release);
    }
}
