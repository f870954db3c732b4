//! What is read of a watcher.

use proptest::prelude::*;

use super::*;

fn event(key: &str, class: u32, size: u64, what: What) -> Event {
    let at = Duration::new(1_795_907_115, 696_494_000);
    Event { at, number: 13, key: key.as_bytes().to_vec(), class, size: Some(size), what }
}

/// As memcached writes it.
fn format(event: &Event) -> String {
    let Event { at, number, class, .. } = event;
    let (seconds, micros) = (at.as_secs(), at.subsec_micros());
    let key = uri::encode(&event.key);
    let size = event.size.map(|size| format!(" size={size}")).unwrap_or_default();
    let client = |client: Option<i32>| client.map(|cfd| format!(" cfd={cfd}")).unwrap_or_default();
    let head = |kind| format!("ts={seconds}.{micros} gid={number} type={kind} key={key}");
    match event.what {
        What::Sought { result, client: cfd } => {
            let result = match result {
                Sought::Found => "found",
                Sought::NotFound => "not_found",
                Sought::Flushed => "flushed",
                Sought::Expired => "expired",
                Sought::Other => "frozen",
            };
            format!("{} status={result} clsid={class}{}{size}", head("item_get"), client(cfd))
        }
        What::Stored { result, command, ttl, client: cfd } => {
            let result = match result {
                Stored::Stored => "stored",
                Stored::NotStored => "not_stored",
                Stored::Exists => "exists",
                Stored::NotFound => "not_found",
                Stored::TooLarge => "too_large",
                Stored::NoMemory => "no_memory",
                Stored::Other => "frozen",
            };
            let command = match command {
                Command::Set => "set",
                Command::Add => "add",
                Command::Replace => "replace",
                Command::Append => "append",
                Command::Prepend => "prepend",
                Command::Cas => "cas",
                Command::Other => "na",
            };
            let ttl = match ttl {
                Ttl::Never => 0,
                Ttl::Remaining(0) => u32::MAX,
                Ttl::Remaining(seconds) => u32::try_from(seconds).expect("31 bits"),
            };
            format!(
                "{} status={result} cmd={command} ttl={ttl} clsid={class}{}{size}",
                head("item_store"),
                client(cfd)
            )
        }
        What::Evicted { fetched, ttl, idle } => {
            let fetched = if fetched { "yes" } else { "no" };
            let ttl = match ttl {
                Ttl::Never => "-1".to_owned(),
                Ttl::Remaining(seconds) => seconds.to_string(),
            };
            let head = head("eviction");
            format!("{head} fetch={fetched} ttl={ttl} la={idle} clsid={class}{size}")
        }
        What::Deleted => format!("{} cmd=md clsid={class}{size}", head("deleted")),
    }
}

#[test]
fn lines_of_real_servers() {
    for (line, want) in [
        (
            "ts=1795907115.696494 gid=13 type=item_get key=a%20b status=not_found clsid=0 cfd=11 size=0",
            event("a b", 0, 0, What::Sought { result: Sought::NotFound, client: Some(11) }),
        ),
        (
            "ts=1795907115.696494 gid=13 type=item_store key=z status=exists cmd=cas ttl=0 clsid=1 cfd=11 \
             size=2",
            event(
                "z",
                1,
                2,
                What::Stored {
                    result: Stored::Exists,
                    command: Command::Cas,
                    ttl: Ttl::Never,
                    client: Some(11),
                },
            ),
        ),
        (
            "ts=1795907115.696494 gid=13 type=item_store key=q status=too_large cmd=na ttl=4294967227 clsid=41 \
             cfd=-48 size=0",
            event(
                "q",
                41,
                0,
                What::Stored {
                    result: Stored::TooLarge,
                    command: Command::Other,
                    ttl: Ttl::Remaining(0),
                    client: Some(-48),
                },
            ),
        ),
        (
            "ts=1795907115.696494 gid=13 type=eviction key=e fetch=yes ttl=-1 la=7 clsid=12 size=900",
            event("e", 12, 900, What::Evicted { fetched: true, ttl: Ttl::Never, idle: 7 }),
        ),
        (
            "ts=1795907115.696494 gid=13 type=deleted key=d cmd=delete clsid=1 size=1 new=field",
            event("d", 1, 1, What::Deleted),
        ),
    ] {
        assert_eq!(Line::parse(line.as_bytes()), Line::Event(want), "{line}");
    }
}

#[test]
fn fields_that_older_servers_do_not_tell() {
    let line = b"ts=1795907115.696494 gid=13 type=item_get key=a status=found clsid=3";
    let what = What::Sought { result: Sought::Found, client: None };
    let want = Event { size: None, ..event("a", 3, 0, what) };
    assert_eq!(Line::parse(line), Line::Event(want));
}

#[test]
fn microseconds_have_no_leading_zeros() {
    assert_eq!(time(b"1796072258.14971"), Some(Duration::new(1_796_072_258, 14_971_000)));
}

#[test]
fn other_lines() {
    assert_eq!(Line::parse(b"OK"), Line::Begin);
    assert_eq!(Line::parse(b"skipped=12"), Line::Skipped(12));
    for line in [
        "ts=1.2 gid=3 type=conn_new rip=10.0.0.1 rport=4 transport=tcp cfd=5",
        "ts=1.2 gid=3 type=conn_close rip=unix rport=0 transport=local reason=normal cfd=5",
        "ts=1.2 gid=3 type=proxy_req detail= req=get = a",
    ] {
        assert_eq!(Line::parse(line.as_bytes()), Line::Unrelated, "{line}");
    }
    let refused = Refusal::Client(b"watch commands not allowed");
    assert_eq!(Line::parse(b"CLIENT_ERROR watch commands not allowed"), Line::Refused(refused));
    assert_eq!(Line::parse(b"ERROR"), Line::Refused(Refusal::Unknown(b"")));
    for line in [
        "",
        "skipped=",
        "skipped=-1",
        "ts=1.2 gid=3",
        "ts=1 gid=3 type=conn_new",
        "gid=3 ts=1.2 type=conn_new",
        "HD ts=1.2 gid=3 type=conn_new",
        "ts=1.2 gid=3 type=deleted clsid=1",
        "ts=1.2 gid=3 type=deleted key= clsid=1",
        "ts=1.2 gid=3 type=deleted key=a%2 clsid=1",
        "ts=1.2 gid=3 type=deleted key=a clsid=x",
        "ts=1.2 gid=3 type=item_store key=a clsid=1",
        "ts=1.2 gid=3 type=eviction key=a clsid=1 ttl=1 la=1",
    ] {
        let refused = Refusal::Other(line.as_bytes());
        assert_eq!(Line::parse(line.as_bytes()), Line::Refused(refused), "{line}");
    }
}

fn any_what() -> impl Strategy<Value = What> {
    let sought = prop::sample::select(vec![
        Sought::Found,
        Sought::NotFound,
        Sought::Flushed,
        Sought::Expired,
        Sought::Other,
    ]);
    let stored = prop::sample::select(vec![
        Stored::Stored,
        Stored::NotStored,
        Stored::Exists,
        Stored::NotFound,
        Stored::TooLarge,
        Stored::NoMemory,
        Stored::Other,
    ]);
    let command = prop::sample::select(vec![
        Command::Set,
        Command::Add,
        Command::Replace,
        Command::Append,
        Command::Prepend,
        Command::Cas,
        Command::Other,
    ]);
    let ttl = || prop_oneof![Just(Ttl::Never), (0..1u64 << 31).prop_map(Ttl::Remaining)];
    prop_oneof![
        (sought, any::<Option<i32>>()).prop_map(|(result, client)| What::Sought { result, client }),
        (stored, command, ttl(), any::<Option<i32>>()).prop_map(
            |(result, command, ttl, client)| What::Stored { result, command, ttl, client }
        ),
        (any::<bool>(), ttl(), any::<u64>()).prop_map(|(fetched, ttl, idle)| What::Evicted {
            fetched,
            ttl,
            idle
        }),
        Just(What::Deleted),
    ]
}

proptest! {
    #[test]
    fn events_round_trip(
        what in any_what(), seconds: u32, micros in 0..1_000_000u64, number: u64, class: u32,
        key in prop::collection::vec(any::<u8>(), 1..250), size: Option<u64>,
    ) {
        let at = Duration::from_secs(seconds.into()) + Duration::from_micros(micros);
        let event = Event { at, number, key, class, size, what };
        let line = format(&event);
        prop_assert_eq!(Line::parse(line.as_bytes()), Line::Event(event));
        // What is left of a line that was cut is no event, or one with less.
        for cut in 0..line.len() {
            let _ = Line::parse(&line.as_bytes()[..cut]);
        }
    }

    #[test]
    fn no_bytes_do_harm(bytes: Vec<u8>) {
        for begin in [&b""[..], b"skipped=", b"ts=1.2 gid=3 type=", b"ts=1.2 gid=3 type=item_store key=a "] {
            let _ = Line::parse(&[begin, bytes.as_slice()].concat());
        }
    }
}
