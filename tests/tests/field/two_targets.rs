//! A new host with a target at each of two cards: one mirror with one table of connections.
//!
//! ```text
//!   client ─────┬────── eth0 ┐
//!   old ────────┤            │ new        drop at both; old's next hop for new is the one, and then the other
//!               └────── eth1 ┘
//! ```

use mirror_tests::{
    Family,
    client::{Connection, frame, udp},
    mirror::{Mirror, PORT},
    second, wait,
};

const CLIENTS: usize = 10;

struct Pair {
    mirror: Mirror,
    clients: Vec<Connection>,
}

impl Pair {
    fn running() -> Self {
        let mut mirror = Mirror::idle();
        second::card(&mut mirror.lab, &mirror.new, "eth1");
        for card in ["eth0", "eth1"] {
            mirror.new.agent_ok(&format!("drop {card} --port {PORT}"));
        }
        mirror.attach("");
        let of = |family| Connection::open(&mirror.client, mirror.old.address(family), PORT);
        let clients = (0..CLIENTS).flat_map(|_| Family::BOTH.map(of)).collect();
        Self { mirror, clients }
    }

    /// Copies go to this card from now on.
    fn by(&self, card: &str) {
        let mac = self.mirror.new.mac_bytes_of(card).map(|byte| format!("{byte:02x}")).join(":");
        for family in Family::BOTH {
            let new = self.mirror.new.address(family).to_string();
            let old = &self.mirror.old;
            old.ip(&["neigh", "replace", &new, "lladdr", &mac, "dev", "eth0", "nud", "permanent"]);
        }
    }

    /// Each client sets a key, and all of them are copied.
    fn set(&mut self, name: &str) {
        let key = |n: usize| format!("{name}-{n}");
        for (n, client) in self.clients.iter_mut().enumerate() {
            client.set(&key(n), b"value");
        }
        self.mirror.old.settled("source");
        self.settled();
        self.mirror.assert_copied((0..self.clients.len()).map(key));
    }

    fn settled(&self) {
        for card in ["eth0", "eth1"] {
            self.mirror.new.settled_target_at(card);
        }
    }

    /// A counter of both targets.
    fn sum(&self, name: &str) -> u64 {
        ["eth0", "eth1"].iter().map(|card| self.mirror.new.settled_target_at(card)[name]).sum()
    }
}

#[test]
fn copies_move_from_one_to_the_other() {
    let mut pair = Pair::running();
    let leaks = pair.mirror.watch_leaks();
    for (n, card) in ["eth0", "eth1", "eth0"].into_iter().enumerate() {
        pair.by(card);
        pair.set(&format!("{card}-{n}"));
    }
    assert_eq!(pair.sum("opened"), 2 * CLIENTS as u64, "each connection is opened once");
    assert_eq!(pair.sum("adopted") + pair.sum("desynced") + pair.sum("lost"), 0);
    leaks.assert_none();
}

#[test]
fn direct_clients_are_answered_by_both_protocols() {
    let pair = Pair::running();
    for family in Family::BOTH {
        let new = pair.mirror.new.address(family);
        let mut direct = Connection::open(&pair.mirror.client, new, PORT);
        direct.set("direct", b"value");
        let datagrams = udp(&pair.mirror.client, new, PORT);
        datagrams.send(&frame(7, 1, b"get direct\r\n")).expect("sending");
        let mut reply = [0; 1000];
        let length = datagrams.recv(&mut reply).expect("a reply");
        assert!(reply[..length].ends_with(b"END\r\n"), "{:?}", &reply[..length]);
    }
}

#[test]
fn one_is_detached_and_the_other_goes_on() {
    for gone in ["eth0", "eth1"] {
        let mut pair = Pair::running();
        let leaks = pair.mirror.watch_leaks();
        let stays = if gone == "eth0" { "eth1" } else { "eth0" };
        pair.by(gone);
        pair.set("before");
        let open = pair.mirror.new_server.clients(&pair.mirror.new);
        assert!(open >= 2 * CLIENTS as u64, "{open} connections");
        pair.mirror.new.agent_ok(&format!("detach {gone}"));
        assert_eq!(pair.mirror.new_server.clients(&pair.mirror.new), open, "they stay");
        pair.by(stays);
        for (n, client) in pair.clients.iter_mut().enumerate() {
            client.set(&format!("after-{n}"), b"value");
        }
        pair.mirror.old.settled("source");
        let target = pair.mirror.new.settled_target_at(stays);
        assert_eq!((target["lost"], target["adopted"]), (0, 0), "{target:?}");
        pair.mirror.assert_copied((0..2 * CLIENTS).map(|n| format!("after-{n}")));
        pair.mirror.new.agent_ok(&format!("detach {stays}"));
        wait::until("no connection to be left", || {
            (pair.mirror.new_server.clients(&pair.mirror.new) == 0).then_some(())
        });
        leaks.assert_none();
    }
}

#[test]
fn the_table_has_one_size() {
    let mut mirror = Mirror::idle();
    mirror.lab.second_interface(&mirror.new, "eth1");
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT} --max-connections 1000"));
    let drop = format!("drop eth1 --port {PORT}");
    let said = mirror.new.agent_refuses(&format!("{drop} --max-connections 2000"));
    assert!(said.contains("--max-connections is 1000 for all targets of this host"), "{said}");
    assert!(!mirror.new.bpffs().join("mirror-agent").join("eth1").exists());
    mirror.new.agent_ok(&drop);
    mirror.new.agent_ok(&format!("{drop} --max-connections 1000"));
}
