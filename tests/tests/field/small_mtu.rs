//! The path to the new host takes smaller packets than the clients' does.
//!
//! ```text
//!   client ──9000──┬──9000── old              the old host's route says so, or a router did
//!                  └──1500── new
//! ```
//!
//! A card cuts what it is given in one piece (TSO): such a super-packet can be cut smaller. What a wire cut already
//! arrives in single segments, and those are cut in pieces.

use mirror_tests::{
    Family,
    agent::sum,
    capture::{Capture, ICMP_ERROR},
    client::Connection,
    departures::Departures,
    expected::to_fail,
    mirror::{Mirror, PORT},
    router::Router,
    second,
};

const KEYS: usize = 5;
const SMALL: usize = 100;
const LARGE: [usize; 2] = [5000, 100_000];
const MISSING: &str = "keys are missing on the new server";

/// Clients of both families set values that fit the smaller frames, and such that do not.
fn set(mirror: &Mirror, name: &str) {
    let before = mirror.old.copied();
    for family in Family::BOTH {
        let connect =
            |size| (size, Connection::open(&mirror.client, mirror.old.address(family), PORT));
        let mut clients = [SMALL, LARGE[0], LARGE[1]].map(connect);
        for n in 0..KEYS {
            for (size, client) in &mut clients {
                client.set(&key(name, family, *size, n), &vec![b'x'; *size]);
            }
        }
    }
    mirror.old.settled("source");
    mirror.new.settled("target");
    assert!(mirror.old.copied() >= before + 6 * KEYS as u64, "all was copied");
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

fn each_large(mut what: impl FnMut(Family, usize)) {
    Family::BOTH
        .into_iter()
        .for_each(|family| LARGE.into_iter().for_each(|size| what(family, size)));
}

fn too_large(mirror: &Mirror) -> u64 {
    mirror.old.all_map_counters().values().map(|map| sum(map, "unsent_too_large")).sum()
}

/// Large values of this name are there.
fn assert_large_copied(mirror: &Mirror, name: &str) {
    each_large(|family, size| assert_copied(mirror, name, family, size));
}

/// Sets values with clients whose segments arrive joined, and with others; copies fit the path, and all of them are there.
fn judge(mirror: &Mirror, name: &str, path_mtu: usize) {
    let at_client = Capture::start(mirror.lab.switch(), "client", ICMP_ERROR);
    for joined in [true, false] {
        mirror.join_segments(joined);
        let departures = Departures::of_old_by_path(mirror, &["eth0"], path_mtu);
        let (name, before) = (format!("{name}-{joined}"), too_large(mirror));
        set(mirror, &name);
        departures.stop().assert_none_wrong();
        assert_large_copied(mirror, &name);
        assert_eq!(too_large(mirror), before, "nothing is too large to be cut");
    }
    assert_eq!(at_client.stop(), Vec::<String>::new(), "nothing reaches the client");
}

/// The old host's route to the new one has an MTU. That of IPv4 counts for packets that a host forwards only where it is
/// locked.
fn limit(mirror: &Mirror, path_mtu: u16) {
    let mtu = path_mtu.to_string();
    limit_new(mirror, &mtu);
    for new in [mirror.new.v4(), mirror.new.v6()] {
        mirror.old.ip(&["route", "replace", &new.to_string(), "dev", "eth0", "mtu", "lock", &mtu]);
    }
}

/// The new host's interface takes no more.
fn limit_new(mirror: &Mirror, mtu: &str) {
    mirror.new.ip(&["link", "set", "eth0", "mtu", mtu]);
    mirror.lab.switch().ip(&["link", "set", "new", "mtu", mtu]);
}

#[test]
fn jumbo_frames_of_clients_and_usual_ones_to_the_new_host() {
    let mirror = Mirror::idle();
    mirror.set_mtu(9000);
    limit(&mirror, 1500);
    mirror.start();
    judge(&mirror, "key", 1500);
}

#[test]
fn usual_frames_of_clients_and_a_tunnel_to_the_new_host() {
    let mirror = Mirror::idle();
    limit(&mirror, 1400);
    mirror.start();
    judge(&mirror, "key", 1400);
}

/// The route gets its MTU while copies are made, and loses it.
#[test]
fn a_route_that_changes() {
    let mirror = Mirror::idle();
    mirror.start();
    mirror.join_segments(true);
    set(&mirror, "before");
    assert_large_copied(&mirror, "before");
    limit(&mirror, 1400);
    judge(&mirror, "limited", 1400);
    limit(&mirror, 1500);
    mirror.join_segments(false);
    set(&mirror, "after");
    assert_large_copied(&mirror, "after");
}

/// Not locked, which the kernel does not tell programs of.
#[test]
fn a_route_whose_mtu_is_not_locked() {
    let mirror = Mirror::idle();
    limit_new(&mirror, "1400");
    for new in [mirror.new.v4(), mirror.new.v6()] {
        mirror.old.ip(&["route", "replace", &new.to_string(), "dev", "eth0", "mtu", "1400"]);
    }
    mirror.start();
    mirror.join_segments(true);
    let departures = Departures::of_old_by_path(&mirror, &["eth0"], 1400);
    set(&mirror, "key");
    let seen = departures.stop();
    seen.assert_none_wrong();
    assert_large_copied(&mirror, "key");
    assert_eq!(too_large(&mirror), 0, "nothing is too large to be cut");
}

/// All interfaces and routes of old are as large as clients': only what a router once said is in the way.
#[test]
fn a_path_that_the_old_host_has_learned() {
    let mut mirror = Mirror::idle();
    mirror.set_mtu(9000);
    let router = Router::before_new(&mut mirror);
    router.set_mtu(&mirror, 9000, 1400);
    mirror.start();
    for family in Family::BOTH {
        let new = mirror.new.address(family);
        let gateway = second::address_by(&router.host, family).to_string();
        // Or the old host's segments are small from the first one on.
        let way = ["route", "replace", "default", "via", &gateway, "advmss", "8900"];
        mirror.new.ip(&way);
        Connection::open(&mirror.old, new, PORT).set("probe", &[b'x'; 20_000]);
        let way = mirror.old.output("ip", &["route", "get", &new.to_string()]);
        assert!(way.contains("mtu 1400"), "the old host has learned it: {way}");
    }
    judge(&mirror, "learned", 1400);
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
    let reason = "copies have clients' addresses, to whom the router says that they are too large";
    each_large(|family, size| {
        to_fail(reason, MISSING, || assert_copied(&mirror, "told", family, size));
    });
    for protocol in ["ICMP ", "ICMP6"] {
        let of_family = |line: &&String| line.contains(protocol);
        let errors: Vec<_> = errors.iter().filter(of_family).collect();
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
    let reason = "nobody says how much the path takes";
    each_large(|family, size| {
        to_fail(reason, MISSING, || assert_copied(&mirror, "not-told", family, size));
    });
}
