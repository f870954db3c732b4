//! An old host with two cards and a mirror at each: other maps or the same, to one target or to many, in any order.
//!
//! ```text
//!   client ─────┬────── eth0 ┐               attach eth0: port 11211
//!               │            │ old
//!               ├────── eth1 ┘               attach eth1: port 11212
//!               ├────── eth0   new           all targets by way of old's eth0
//!               └────── eth0   other
//! ```

use std::net::IpAddr;

use mirror_tests::{
    Family, Host,
    agent::sum,
    client::Connection,
    departures::Departures,
    memcached::{self, Memcached},
    mirror::{Mirror, PORT},
    second,
};

const SECOND: u16 = PORT + 1;
const KEYS: usize = 20;
const CARDS: [&str; 2] = ["eth0", "eth1"];
const ORDERS: [[&str; 2]; 2] = [CARDS, ["eth1", "eth0"]];

/// Old host's two cards, and two memcached on each host.
struct Pair {
    mirror: Mirror,
    other: Host,
    /// At the second port of the old host and of the new one.
    servers: [Memcached; 2],
    /// At both ports of the third host.
    others: [Memcached; 2],
}

impl Pair {
    /// Of which nothing is attached at the old host.
    fn idle() -> Self {
        let mut mirror = Mirror::idle();
        let other = mirror.lab.host("other");
        second::card(&mut mirror.lab, &mirror.old, "eth1");
        second::join(&mirror.client);
        for host in [&mirror.new, &other] {
            second::join(host);
            host.agent_ok(&format!("drop eth0 --port {PORT} --port {SECOND}"));
        }
        let servers = [&mirror.old, &mirror.new].map(|host| Memcached::start(host, SECOND));
        let others = [PORT, SECOND].map(|port| Memcached::start(&other, port));
        Self { mirror, other, servers, others }
    }

    /// What `attach` or `map add` is told: this port's packets go to the same port of these hosts.
    fn maps(port: u16, targets: &[&Host]) -> String {
        let map = |target: &&Host| {
            let [v4, v6] = Family::BOTH.map(|family| target.address(family));
            format!("--map {port}={v4}:{port} --map {port}=[{v6}]:{port}")
        };
        targets.iter().map(map).collect::<Vec<_>>().join(" ")
    }

    /// Each card has a port of its own.
    fn attach_apart(&self, order: [&str; 2], targets: &[&Host]) {
        for card in order {
            let port = if card == "eth0" { PORT } else { SECOND };
            self.mirror.old.agent_ok(&format!("attach {card} {}", Self::maps(port, targets)));
        }
    }

    /// The old host's address at a card.
    fn address(&self, card: &str, family: Family) -> IpAddr {
        match card {
            "eth0" => self.mirror.old.address(family),
            _ => second::address_by(&self.mirror.old, family),
        }
    }

    /// Clients of both protocols set keys of this name by one card.
    fn set_by(&self, card: &str, port: u16, name: &str) {
        for family in Family::BOTH {
            let client = &self.mirror.client;
            let mut client = Connection::open(client, self.address(card, family), port);
            for key in keys_of(name, family) {
                client.set(&key, name.as_bytes());
            }
        }
    }

    /// A client of each card sets keys of its own.
    fn set(&self, name: &str) {
        self.set_by("eth0", PORT, &format!("{name}-first"));
        self.set_by("eth1", SECOND, &format!("{name}-second"));
        for host in [&self.mirror.new, &self.other] {
            host.settled("target");
        }
    }

    /// Panics unless the keys of this name, of the old host's server at a port, are on a target.
    fn assert_copied(&self, port: u16, target: &Host, name: &str) {
        memcached::assert_copied(
            self.server(&self.mirror.old, port),
            self.server(target, port),
            keys(name),
        );
    }

    /// Panics unless what each server holds is on the same port of the target, and nothing else.
    fn assert_same(&self, target: &Host) {
        for port in [PORT, SECOND] {
            let (old, new) = (self.server(&self.mirror.old, port), self.server(target, port));
            memcached::assert_same_items(old, new);
        }
    }

    fn server<'a>(&'a self, host: &'a Host, port: u16) -> (&'a Memcached, &'a Host) {
        let Self { mirror, other, servers, others } = self;
        let at = usize::from(port == SECOND);
        let server = if host.number == other.number {
            &others[at]
        } else if host.number == mirror.old.number {
            [&mirror.old_server, &servers[0]][at]
        } else {
            [&mirror.new_server, &servers[1]][at]
        };
        (server, host)
    }

    /// Panics unless a card's counters say that each packet was copied so many times, and all of that was sent;
    /// returns how many segments that was.
    fn assert_all_sent(&self, card: &str, times: u64) -> u64 {
        let (source, maps) = self.mirror.old.settled_at(card);
        let total = |name| maps.values().map(|map| map[name]).sum::<u64>();
        assert!(source["mirrored"] >= 2 * KEYS as u64, "{card}: {source:?}");
        assert_eq!(total("copies"), times * source["mirrored"], "{card}: {source:?}, {maps:?}");
        assert_eq!(total("sent"), total("copies"), "{card}: {maps:?}");
        assert!(maps.values().all(|map| map["copies"] > 0), "{card}: {maps:?}");
        assert_eq!(sum(&source, "failed_"), 0, "{card}: {source:?}");
        total("sent_segments")
    }

    /// The same of both cards, and that all of it arrived at so many targets.
    fn assert_counted(&self, targets: &[&Host]) {
        let sent: u64 =
            CARDS.into_iter().map(|card| self.assert_all_sent(card, targets.len() as u64)).sum();
        let arrived: u64 = targets.iter().map(|it| it.settled("target")["arrived"]).sum();
        assert_eq!(sent, arrived, "segments that were sent, and that arrived");
    }
}

fn keys_of(name: &str, family: Family) -> impl Iterator<Item = String> {
    (0..KEYS).map(move |n| format!("{name}-{family:?}-{n}"))
}

fn keys(name: &str) -> impl Iterator<Item = String> {
    Family::BOTH.into_iter().flat_map(move |family| keys_of(name, family))
}

#[test]
fn other_maps_in_any_order() {
    for order in ORDERS {
        let pair = Pair::idle();
        let departures = Departures::of_old(&pair.mirror, &CARDS);
        pair.attach_apart(order, &[&pair.mirror.new]);
        pair.set("key");
        pair.assert_same(&pair.mirror.new);
        pair.assert_counted(&[&pair.mirror.new]);
        let third: u64 = pair.other.settled("target")["arrived"];
        assert_eq!(third, 0, "{order:?}: a host that no map names");
        departures.stop().assert_none_wrong();
    }
}

#[test]
fn the_same_maps_at_both() {
    for order in ORDERS {
        let pair = Pair::idle();
        let maps = Pair::maps(PORT, &[&pair.mirror.new]);
        for card in order {
            pair.mirror.old.agent_ok(&format!("attach {card} {maps}"));
        }
        pair.set_by("eth0", PORT, "first");
        pair.set_by("eth1", PORT, "second");
        pair.mirror.new.settled("target");
        for name in ["first", "second"] {
            pair.assert_copied(PORT, &pair.mirror.new, name);
        }
        pair.assert_counted(&[&pair.mirror.new]);
    }
}

#[test]
fn many_targets_of_both() {
    for order in ORDERS {
        let pair = Pair::idle();
        let targets = [&pair.mirror.new, &pair.other];
        pair.attach_apart(order, &targets);
        pair.set("key");
        for target in targets {
            pair.assert_copied(PORT, target, "key-first");
            pair.assert_copied(SECOND, target, "key-second");
            for port in [PORT, SECOND] {
                let (server, host) = pair.server(target, port);
                assert_eq!(server.stat(host, "curr_items"), 2 * KEYS as u64, "and nothing else");
            }
        }
        pair.assert_counted(&targets);
    }
}

/// A map to another host for each card: neither has a share in the other's.
#[test]
fn targets_apart() {
    for order in ORDERS {
        let pair = Pair::idle();
        for card in order {
            let (port, target) =
                if card == "eth0" { (PORT, &pair.mirror.new) } else { (SECOND, &pair.other) };
            pair.mirror.old.agent_ok(&format!("attach {card} {}", Pair::maps(port, &[target])));
        }
        pair.set("key");
        pair.assert_copied(PORT, &pair.mirror.new, "key-first");
        pair.assert_copied(SECOND, &pair.other, "key-second");
        let of_new = pair.assert_all_sent("eth0", 1);
        let of_other = pair.assert_all_sent("eth1", 1);
        assert_eq!(pair.mirror.new.settled("target")["arrived"], of_new);
        assert_eq!(pair.other.settled("target")["arrived"], of_other);
    }
}

#[test]
fn maps_that_are_added_and_removed() {
    for order in ORDERS {
        let pair = Pair::idle();
        pair.attach_apart(order, &[&pair.mirror.new]);
        let added = Pair::maps(SECOND, &[&pair.other]);
        for card in order {
            pair.mirror.old.agent_ok(&format!("map add {card} {added}"));
        }
        pair.set("both");
        pair.set_by("eth0", SECOND, "added");
        pair.mirror.new.settled("target");
        pair.other.settled("target");
        pair.assert_copied(PORT, &pair.mirror.new, "both-first");
        pair.assert_copied(SECOND, &pair.mirror.new, "both-second");
        pair.assert_copied(SECOND, &pair.other, "both-second");
        pair.assert_copied(SECOND, &pair.other, "added");
        let mut new = pair.servers[1].inside(&pair.mirror.new);
        assert!(keys("added").all(|key| new.get(&key).is_none()), "eth0 has no map for it");
        CARDS.into_iter().for_each(|card| {
            pair.mirror.old.settled_at(card);
        });

        // Taken off the one card, it stays at the other.
        pair.mirror.old.agent_ok(&format!("map remove eth0 {added}"));
        pair.set("removed");
        pair.set_by("eth0", SECOND, "later");
        pair.other.settled("target");
        pair.assert_copied(SECOND, &pair.other, "removed-second");
        pair.assert_copied(PORT, &pair.mirror.new, "removed-first");
        let mut other = pair.others[1].inside(&pair.other);
        assert!(keys("later").all(|key| other.get(&key).is_none()), "no map of eth0 is for it");
    }
}

#[test]
fn one_is_detached_and_the_other_stays() {
    for (order, gone) in ORDERS.into_iter().flat_map(|order| CARDS.map(|gone| (order, gone))) {
        let pair = Pair::idle();
        pair.attach_apart(order, &[&pair.mirror.new]);
        pair.set("before");
        let departures = Departures::of_old(&pair.mirror, &CARDS);
        pair.mirror.old.agent_ok(&format!("detach {gone}"));
        pair.set("after");
        departures.stop().assert_none_wrong();
        pair.assert_copied(PORT, &pair.mirror.new, "before-first");
        pair.assert_copied(SECOND, &pair.mirror.new, "before-second");
        let (stays, port, kept, missing) = if gone == "eth0" {
            ("eth1", SECOND, "after-second", (PORT, "after-first"))
        } else {
            ("eth0", PORT, "after-first", (SECOND, "after-second"))
        };
        pair.assert_copied(port, &pair.mirror.new, kept);
        let (server, host) = pair.server(&pair.mirror.new, missing.0);
        let mut new = server.inside(host);
        assert!(keys(missing.1).all(|key| new.get(&key).is_none()), "{gone} is detached");
        pair.assert_all_sent(stays, 1);
        let status = pair.mirror.old.agent_ok("status");
        assert!(status.contains(stays) && !status.contains(gone), "{status}");

        // And again, beside the one that stayed.
        let again = if gone == "eth0" { PORT } else { SECOND };
        let maps = Pair::maps(again, &[&pair.mirror.new]);
        pair.mirror.old.agent_ok(&format!("attach {gone} {maps}"));
        pair.set("again");
        pair.assert_copied(PORT, &pair.mirror.new, "again-first");
        pair.assert_copied(SECOND, &pair.mirror.new, "again-second");
        CARDS.into_iter().for_each(|card| {
            pair.assert_all_sent(card, 1);
        });
        pair.mirror.old.agent_ok("detach --all");
        assert!(!pair.mirror.old.bpffs().join("mirror-agent").join(gone).exists());
    }
}
