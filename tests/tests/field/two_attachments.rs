//! An old host with two cards and a mirror at each: each has targets of its own.
//!
//! ```text
//!   client ─────┬────── eth0 ┐               attach eth0: port 11211 to new's 11211
//!               │            │ old
//!               ├────── eth1 ┘               attach eth1: port 11212 to new's 11212
//!               └────── eth0   new           both targets by way of old's eth0
//! ```

use mirror_tests::{
    Family,
    client::Connection,
    expected::to_fail,
    memcached::{self, Memcached},
    mirror::{Mirror, PORT},
    second,
};

const SECOND: u16 = PORT + 1;
const KEYS: usize = 20;

/// Two mirrors whose attachments begin in this order.
struct Pair {
    mirror: Mirror,
    old_server: Memcached,
    new_server: Memcached,
}

impl Pair {
    fn attached(order: [&str; 2]) -> Self {
        let mut mirror = Mirror::idle();
        second::card(&mut mirror.lab, &mirror.old, "eth1");
        second::join(&mirror.client);
        second::join(&mirror.new);
        let old_server = Memcached::start(&mirror.old, SECOND);
        let new_server = Memcached::start(&mirror.new, SECOND);
        mirror.new.agent_ok(&format!("drop eth0 --port {PORT} --port {SECOND}"));
        for interface in order {
            let port = if interface == "eth0" { PORT } else { SECOND };
            let [v4, v6] = Family::BOTH.map(|family| mirror.new.address(family));
            let maps = format!("--map {port}={v4}:{port} --map {port}=[{v6}]:{port}");
            mirror.old.agent_ok(&format!("attach {interface} {maps}"));
        }
        Self { mirror, old_server, new_server }
    }

    /// A client of each sets keys of its own, by each protocol.
    fn set(&self) {
        let Self { mirror, .. } = self;
        for family in Family::BOTH {
            let addresses = [mirror.old.address(family), second::address_by(&mirror.old, family)];
            let servers = [(addresses[0], PORT), (addresses[1], SECOND)];
            let mut clients =
                servers.map(|(old, port)| Connection::open(&mirror.client, old, port));
            for n in 0..KEYS {
                for (client, name) in clients.iter_mut().zip(["first", "second"]) {
                    client.set(&key(name, family, n), name.as_bytes());
                }
            }
        }
        mirror.new.settled("target");
    }

    /// Panics unless each key is on its own target.
    fn assert_copied(&self, family: Family) {
        let Self { mirror, old_server, new_server } = self;
        let keys = |name| (0..KEYS).map(move |n| key(name, family, n));
        mirror.assert_copied(keys("first"));
        let (old, new) = ((old_server, &mirror.old), (new_server, &mirror.new));
        memcached::assert_copied(old, new, keys("second"));
    }

    /// Panics unless each key is on its own target, and on no other.
    fn assert_apart(&self) {
        let Self { mirror, old_server, new_server } = self;
        Family::BOTH.into_iter().for_each(|family| self.assert_copied(family));
        let (old, new) = ((old_server, &mirror.old), (new_server, &mirror.new));
        memcached::assert_same_items((&mirror.old_server, old.1), (&mirror.new_server, new.1));
        memcached::assert_same_items(old, new);
    }
}

fn key(name: &str, family: Family, n: usize) -> String {
    format!("{name}-{family:?}-{n}")
}

#[test]
fn the_card_by_which_targets_are_reached_comes_first() {
    let pair = Pair::attached(["eth0", "eth1"]);
    pair.set();
    let reason =
        "clones name no attachment: the later one, which is first at eth0's egress, takes all";
    for family in Family::BOTH {
        to_fail(reason, "keys are missing on the new server", || pair.assert_copied(family));
    }
}

#[test]
fn the_card_by_which_targets_are_reached_comes_last() {
    let pair = Pair::attached(["eth1", "eth0"]);
    pair.set();
    pair.assert_apart();
}
