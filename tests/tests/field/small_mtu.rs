//! Jumbo frames between clients and the old host, and smaller ones on the way to the new host.
//!
//! ```text
//!   client ──9000──┬──9000── old              the old host's card knows, or a router on the way
//!                  └──1500── new
//! ```

use mirror_tests::{
    Family,
    capture::{Capture, ICMP_ERROR},
    client::Connection,
    expected::to_fail,
    mirror::{Mirror, PORT},
    router::Router,
};

const KEYS: usize = 10;
const SMALL: usize = 100;
const LARGE: usize = 5000;
const REASON: &str =
    "copies are as large as what clients sent, whatever the way to the target takes";
const MISSING: &str = "keys are missing on the new server";

/// Clients of both families set values that fit the smaller frames, and such that do not.
fn set(mirror: &Mirror, name: &str) {
    let before = mirror.old.copied();
    for family in Family::BOTH {
        let connect =
            |size| (size, Connection::open(&mirror.client, mirror.old.address(family), PORT));
        let mut clients = [SMALL, LARGE].map(connect);
        for n in 0..KEYS {
            for (size, client) in &mut clients {
                client.set(&key(name, family, *size, n), &vec![b'x'; *size]);
            }
        }
    }
    mirror.old.settled("source");
    mirror.new.settled("target");
    assert!(mirror.old.copied() >= before + 4 * KEYS as u64, "all was copied");
    for family in Family::BOTH {
        assert_copied(mirror, name, family, SMALL);
    }
}

fn key(name: &str, family: Family, size: usize, n: usize) -> String {
    format!("{name}-{family:?}-{size}-{n}")
}

fn assert_copied(mirror: &Mirror, name: &str, family: Family, size: usize) {
    mirror.assert_copied((0..KEYS).map(|n| key(name, family, size, n)));
}

/// Large values are missing, which is known.
fn assert_marked(mirror: &Mirror, name: &str) {
    for family in Family::BOTH {
        to_fail(REASON, MISSING, || assert_copied(mirror, name, family, LARGE));
    }
}

#[test]
fn values_larger_than_frames_towards_the_new_host() {
    let mirror = Mirror::idle();
    mirror.set_mtu(9000);
    mirror.new.ip(&["link", "set", "eth0", "mtu", "1500"]);
    mirror.lab.switch().ip(&["link", "set", "new", "mtu", "1500"]);
    // The old host knows.
    for new in [mirror.new.v4(), mirror.new.v6()] {
        mirror.old.ip(&["route", "add", &new.to_string(), "dev", "eth0", "mtu", "1500"]);
    }
    mirror.start();
    set(&mirror, "key");
    assert_marked(&mirror, "key");
}

#[test]
fn values_larger_than_frames_behind_a_router() {
    let mut mirror = Mirror::idle();
    mirror.set_mtu(9000);
    let router = Router::before_new(&mut mirror);
    router.set_mtu(&mirror, 9000, 1400);
    mirror.start();
    let watch = || Capture::start(mirror.lab.switch(), "client", ICMP_ERROR);
    let at_client = watch();
    set(&mirror, "told");
    let errors = at_client.stop();
    assert_marked(&mirror, "told");
    for protocol in ["ICMP ", "ICMP6"] {
        let of_family = |line: &&String| line.contains(protocol);
        let errors: Vec<_> = errors.iter().filter(of_family).collect();
        let reason =
            "copies have clients' addresses, to whom the router says that they are too large";
        to_fail(reason, "ICMP errors at the client", || {
            assert!(errors.is_empty(), "{} ICMP errors at the client: {errors:?}", errors.len());
        });
    }
    for old in [mirror.old.v4(), mirror.old.v6()] {
        let way = mirror.client.output("ip", &["route", "get", &old.to_string()]);
        assert!(!way.contains("mtu"), "the client's way to the old host is as it was: {way}");
    }

    router.be_silent();
    let at_client = watch();
    set(&mirror, "not-told");
    assert_eq!(at_client.stop(), Vec::<String>::new(), "nothing reaches the client");
    assert_marked(&mirror, "not-told");
}
