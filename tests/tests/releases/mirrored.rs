//! An old host and a new one with different releases end up the same.

use std::collections::BTreeMap;

use mirror_tests::{
    Lab,
    client::{Connection, binary},
    memcached::Memcached,
    mirror::{Mirror, PORT},
    release::Release,
    traffic::{Client, Style},
    wait,
};
use serde_json::Value;

/// The usual lab, with servers of these releases.
fn running(old_release: Release, new_release: Release) -> Mirror {
    let mut lab = Lab::new();
    let (client, old, new) = (lab.host("client"), lab.host("old"), lab.host("new"));
    let old_server = Memcached::start_release(&old, PORT, old_release, &[]);
    let new_server = Memcached::start_release(&new, PORT, new_release, &[]);
    let mirror = Mirror { old_server, new_server, client, old, new, lab, redundancy: 1 };
    mirror.join_segments(false);
    mirror.start();
    mirror
}

/// Commands of the text protocols that change items in other ways than by storing them.
fn changes(connection: &mut Connection) {
    let mut ask = |request: &str, reply: &str| {
        let said = connection.ask(format!("{request}\r\n"), "\r\n");
        assert_eq!(String::from_utf8_lossy(&said), format!("{reply}\r\n"), "{request}");
    };
    ask("set flags 4294967295 5000 3\r\nabc", "STORED");
    ask("ms meta 3 T6000 F9\r\nabc", "HD");
    ask("ms YSBi 3 b ME\r\nabc", "HD");
    ask("ms YSBi 3 b ME\r\nxyz", "NS");
    ask("append flags 0 0 2\r\nde", "STORED");
    ask("ms meta 2 MP\r\nx ", "HD");
    ask("set number 0 0 2\r\n99", "STORED");
    ask("incr number 1", "100");
    ask("decr number 91", "9");
    ask("ma number D5", "HD");
    ask("touch number 7000", "TOUCHED");
    ask("mg meta T8000", "HD");
    ask("set gone 0 0 1\r\nx", "STORED");
    ask("delete gone", "DELETED");
    ask("ms gone-too 1\r\nx", "HD");
    ask("md gone-too", "HD");
    ask("mg vivified N5000", "HD W");
    ask("set stale 0 0 1\r\nx", "STORED");
    ask("md stale I T9000", "HD");
}

/// The same of the binary protocol.
fn binary_changes(connection: &mut Connection) {
    const KEY: &str = "by binary";
    let extras = [7u32.to_be_bytes(), 5_000u32.to_be_bytes()].concat();
    for (what, request, status) in [
        ("set", binary(1, &extras, KEY, b"\x80\r\n"), 0),
        ("append", binary(0x0e, &[], KEY, b"\0"), 0),
        ("delete", binary(4, &[], "nothing", b""), 1),
    ] {
        connection.send(&request);
        let header = connection.read_exact(24);
        assert_eq!(header[6..8], [0, status], "{what}");
        connection.read_exact(u16::from_be_bytes([header[10], header[11]]).into());
    }
}

/// What `keys` says of each item on a host, but for what is the server's own.
fn items(mirror: &Mirror, address: std::net::IpAddr) -> BTreeMap<String, Value> {
    let text = mirror.client.agent_ok(&format!("keys {address} --json --values 1000000"));
    let documents = text.lines().map(|line| {
        let mut document: Value = serde_json::from_str(line).expect("a line is JSON");
        let fields = document.as_object_mut().expect("an object");
        // By each server's clock, in whole seconds.
        fields.remove("idle");
        fields.remove("used_at");
        let key = fields.get("key").and_then(Value::as_str).expect("UTF-8").to_owned();
        (key, document)
    });
    documents.collect()
}

/// Takes out how long an item has to live.
fn time_left(item: &mut Value) -> Option<u64> {
    let fields = item.as_object_mut().expect("an object");
    fields.remove("expires_at");
    fields.remove("expires_in").and_then(|left| left.as_u64())
}

fn assert_same_items(mirror: &Mirror) {
    let (old, new) = wait::until("both servers to list all", || {
        let (old, new) = (items(mirror, mirror.old.v4()), items(mirror, mirror.new.v4()));
        let all = |server: &Memcached, host| server.stat(host, "curr_items");
        let complete = old.len() as u64 == all(&mirror.old_server, &mirror.old)
            && new.len() as u64 == all(&mirror.new_server, &mirror.new);
        complete.then_some((old, new))
    });
    assert!(old.len() > 30, "{} items are enough to compare", old.len());
    assert_eq!(old.keys().collect::<Vec<_>>(), new.keys().collect::<Vec<_>>());
    for ((key, mut old), mut new) in old.into_iter().zip(new.into_values()) {
        let (until, then) = (time_left(&mut old), time_left(&mut new));
        match (until, then) {
            (Some(until), Some(then)) => {
                assert!(until.abs_diff(then) <= 60, "{key}: {until}, {then}")
            }
            (until, then) => assert_eq!(until, then, "{key}"),
        }
        assert_eq!(old, new, "{key}");
    }
}

fn from_release_to_release(old: Release, new: Release) {
    let mirror = running(old, new);
    let wire = mirror.watch_new();
    for style in [Style::Text, Style::Meta, Style::Binary] {
        let mut client = Client::new(format!("{style:?}"), style, mirror.connect());
        client.work(60);
        mirror.caught_up();
        assert!(client.history.keys() > 10, "{style:?} wrote something");
    }
    changes(&mut mirror.connect());
    mirror.caught_up();
    binary_changes(&mut mirror.connect());
    mirror.assert_all_applied(wire);
    mirror.assert_same_counts(&[]);
    assert_same_items(&mirror);
}

#[test]
fn from_an_old_release_to_a_new_one() {
    from_release_to_release(Release::Bookworm, Release::Sid);
}

#[test]
fn from_a_new_release_to_an_old_one() {
    from_release_to_release(Release::Sid, Release::Bookworm);
}

#[test]
fn between_releases_of_today() {
    from_release_to_release(Release::Trixie, Release::Sid);
}
