//! An old host with two cards and a mirror at each: each has targets of its own.
//!
//! ```text
//!   client ─────┬────── eth0 ┐               attach eth0: port 11211 to new's 11211
//!               │            │ old
//!               ├────── eth1 ┘               attach eth1: port 11212 to new's 11212
//!               └────── eth0   new           both targets by way of old's eth0
//! ```

use mirror_tests::{
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
        let new = mirror.new.v4();
        for interface in order {
            let port = if interface == "eth0" { PORT } else { SECOND };
            mirror.old.agent_ok(&format!("attach {interface} --map {port}={new}:{port}"));
        }
        Self { mirror, old_server, new_server }
    }

    /// A client of each sets keys of its own.
    fn set(&self) {
        let Self { mirror, .. } = self;
        let second = second::address(&mirror.old);
        let mut clients = [mirror.connect(), Connection::open(&mirror.client, second, SECOND)];
        for key in 0..KEYS {
            for (client, name) in clients.iter_mut().zip(["first", "second"]) {
                client.set(&format!("{name}{key}"), name.as_bytes());
            }
        }
        mirror.new.settled("target");
    }

    /// Panics unless each key is on its own target, and on no other.
    fn assert_apart(&self) {
        let Self { mirror, old_server, new_server } = self;
        mirror.assert_copied((0..KEYS).map(|key| format!("first{key}")));
        let (old, new) = ((old_server, &mirror.old), (new_server, &mirror.new));
        memcached::assert_copied(old, new, (0..KEYS).map(|key| format!("second{key}")));
        memcached::assert_same_items((&mirror.old_server, old.1), (&mirror.new_server, new.1));
        memcached::assert_same_items(old, new);
    }
}

#[test]
fn the_card_by_which_targets_are_reached_comes_first() {
    let pair = Pair::attached(["eth0", "eth1"]);
    pair.set();
    let reason =
        "clones name no attachment: the later one, which is first at eth0's egress, takes all";
    to_fail(reason, "keys are missing on the new server", || pair.assert_apart());
}

#[test]
fn the_card_by_which_targets_are_reached_comes_last() {
    let pair = Pair::attached(["eth1", "eth0"]);
    pair.set();
    pair.assert_apart();
}
