//! The usual lab: a client, an old and a new host with a memcached each, and watchers on the wires.

use serde_json::Value;

use crate::{
    Host, Lab,
    agent::{Counters, lost},
    capture::{Capture, ICMP_ERROR},
    client::Connection,
    impair::{Impairment, Rates},
    memcached::{self, Memcached},
    wait,
};

/// memcached's usual port.
pub const PORT: u16 = 11211;

/// A client, an old host and a new host.
#[derive(Debug)]
pub struct Mirror {
    /// Old host's server.
    pub old_server: Memcached,
    /// New host's server.
    pub new_server: Memcached,
    /// Where clients are.
    pub client: Host,
    /// The source.
    pub old: Host,
    /// The target.
    pub new: Host,
    /// The switch between them.
    pub lab: Lab,
    /// How often each copy is sent.
    pub redundancy: u64,
}

/// Captures of what may never be there.
#[derive(Debug)]
pub struct Leaks {
    at_client: Capture,
    at_new: Capture,
}

impl Leaks {
    /// Panics if the new host sent anything from memcached's port.
    pub fn assert_none(self) {
        assert_eq!(self.at_client.stop(), Vec::<String>::new(), "nothing reaches the client");
        assert_eq!(self.at_new.stop(), Vec::<String>::new(), "nothing leaves the new host");
    }
}

impl Mirror {
    /// Both servers run; nothing is attached. What the client sends is cut into segments as on a wire: a pair of
    /// virtual interfaces would hand on many of them as one.
    pub fn idle() -> Self {
        let mut lab = Lab::new();
        let (client, old, new) = (lab.host("client"), lab.host("old"), lab.host("new"));
        let old_server = Memcached::start(&old, PORT);
        let new_server = Memcached::start(&new, PORT);
        let mirror = Self { old_server, new_server, client, old, new, lab, redundancy: 1 };
        mirror.join_segments(false);
        mirror
    }

    /// Whether the client's segments arrive joined (super-packets), as where a card joins them.
    pub fn join_segments(&self, joined: bool) {
        let state = if joined { "on" } else { "off" };
        self.client.output("ethtool", &["-K", "eth0", "tso", state, "gso", state]);
    }

    /// Both servers run, and what clients send to one is mirrored to the other.
    pub fn running() -> Self {
        let mirror = Self::idle();
        mirror.start();
        mirror
    }

    /// Attaches on both hosts, for IPv4 and IPv6.
    pub fn start(&self) {
        self.start_with("");
    }

    /// The same, with further options for the source.
    pub fn start_with(&self, options: &str) {
        self.new.agent_ok(&format!("drop eth0 --port {PORT}"));
        self.attach(options);
    }

    /// Attaches on both hosts; each copy is sent so many times.
    pub fn start_redundant(&mut self, redundancy: u64) {
        self.redundancy = redundancy;
        self.start_with(&format!("--redundancy {redundancy}"));
    }

    /// Attaches on the old host only, for IPv4 and IPv6.
    pub fn attach(&self, options: &str) {
        let (v4, v6) = (self.new.v4(), self.new.v6());
        self.old.agent_ok(&format!(
            "attach eth0 --map {PORT}={v4}:{PORT} --map {PORT}=[{v6}]:{PORT} {options}"
        ));
    }

    /// A client's connection to the old server.
    pub fn connect(&self) -> Connection {
        Connection::open(&self.client, self.old.v4(), PORT)
    }

    /// The port that is mirrored.
    pub fn port(&self) -> u16 {
        PORT
    }

    /// Gives every interface on the way this MTU.
    pub fn set_mtu(&self, bytes: u16) {
        let mtu = bytes.to_string();
        for (host, name) in [(&self.client, "client"), (&self.old, "old"), (&self.new, "new")] {
            host.ip(&["link", "set", "eth0", "mtu", &mtu]);
            self.lab.switch().ip(&["link", "set", "dev", name, "mtu", &mtu]);
        }
        self.lab.switch().ip(&["link", "set", "br0", "mtu", &mtu]);
    }

    /// From now on, IPv4 copies meet these rates on the way to the new host.
    pub fn impair(&self, rates: Rates) -> Impairment {
        Impairment::begin(&self.lab, &self.new, PORT, rates)
    }

    /// Watches what the new host sends, at its wire.
    pub fn watch_new(&self) -> Capture {
        self.watch("new")
    }

    /// Watches for packets of the new host at its own wire and at the client's.
    pub fn watch_leaks(&self) -> Leaks {
        Leaks { at_client: self.watch("client"), at_new: self.watch_new() }
    }

    /// Watches at the wire of the host with this name what the new host sent. Only from memcached's port, IP
    /// fragments and ICMP errors: it answers ARP as well, and may ask the old host's memcached.
    pub fn watch(&self, host: &str) -> Capture {
        const FRAGMENT: &str = "ip[6:2] & 0x3fff != 0 or ip6[6] == 44";
        let (v4, v6) = (self.new.v4(), self.new.v6());
        let filter = format!(
            "(src host {v4} or src host {v6}) and (src port {PORT} or {FRAGMENT} or {ICMP_ERROR})"
        );
        Capture::start(self.lab.switch(), host, &filter)
    }

    /// Panics unless, of what was sent, nothing was lost, and nothing left the new host at whose wire
    /// `wire` is; returns the target's counters.
    pub fn assert_all_applied(&self, wire: Capture) -> Counters {
        let (_, target) = self.settled();
        assert_eq!(lost(&target), 0, "{target:?}");
        assert_eq!(wire.stop(), Vec::<String>::new(), "nothing leaves the new host");
        target
    }

    /// Waits for traffic to settle, checks that all counters add up, on each host and between them;
    /// returns source's and target's.
    pub fn settled(&self) -> (Counters, Counters) {
        self.settled_with(|sent| sent)
    }

    /// The same where copies are lost and doubled on the way.
    pub fn settled_behind(&self, impairment: &Impairment) -> (Counters, Counters) {
        self.settled_with(|sent| {
            let done = impairment.done();
            sent - done.dropped + done.doubled
        })
    }

    /// `arrived` says how many segments arrive of so many that were sent.
    fn settled_with(&self, arrived: impl Fn(u64) -> u64) -> (Counters, Counters) {
        let (source, target) = (self.old.settled("source"), self.new.settled("target"));
        let maps = self.old.all_map_counters();
        let total = |name: &str| maps.values().map(|counters| counters[name]).sum::<u64>();
        assert_eq!(source["mirrored"] * self.redundancy, total("copies"), "{source:?}, {maps:?}");
        assert_eq!(total("copies"), total("sent"), "{maps:?}");
        assert_eq!(arrived(total("sent_segments")), target["arrived"], "{maps:?}, {target:?}");
        (source, target)
    }

    /// Panics unless both servers hold the same for every key: flags and value, or a miss.
    pub fn assert_same(&self, keys: impl IntoIterator<Item = impl AsRef<str>>) {
        memcached::assert_same((&self.old_server, &self.old), (&self.new_server, &self.new), keys);
    }

    /// Panics, and says how many, if keys of the old server are missing on the new one, or have another value.
    pub fn assert_copied(&self, keys: impl IntoIterator<Item = impl AsRef<str>>) {
        let (old, new) = ((&self.old_server, &self.old), (&self.new_server, &self.new));
        memcached::assert_copied(old, new, keys);
    }

    /// Panics, and says how many, if the new server holds what the old one has overwritten or deleted.
    pub fn assert_none_stale(&self, keys: impl IntoIterator<Item = impl AsRef<str>>) {
        let (old, new) = ((&self.old_server, &self.old), (&self.new_server, &self.new));
        memcached::assert_none_stale(old, new, keys);
    }

    /// Another memcached on the old host, started with these options, takes the place of the one that was there.
    pub fn restart_old(&mut self, options: &[&str]) {
        self.old_server.kill();
        self.old_server = Memcached::start_with(&self.old, PORT, options);
    }

    /// The same on the new host.
    pub fn restart_new(&mut self, options: &[&str]) {
        self.new_server.kill();
        self.new_server = Memcached::start_with(&self.new, PORT, options);
    }

    /// Panics unless both servers counted the same number of these.
    pub fn assert_same_stats(&self, names: &[&str]) {
        for name in names {
            let (old, new) =
                (self.old_server.stat(&self.old, name), self.new_server.stat(&self.new, name));
            assert_eq!(old, new, "{name} of the old server and of the new one");
        }
    }

    /// Waits until the new server read as much as the old one did. What another client does next then
    /// comes after it on both servers: between connections, nothing else keeps an order.
    pub fn caught_up(&self) {
        wait::until("the new server to read what the old one did", || {
            let of_old = self.old_server.stat(&self.old, "bytes_read");
            (of_old == self.new_server.stat(&self.new, "bytes_read")).then_some(())
        });
    }

    /// Panics unless both servers read as many bytes, counted the same commands with the same results,
    /// and hold as much. Leaves out the counters whose names begin with one of `except`.
    pub fn assert_same_counts(&self, except: &[&str]) {
        // Not `get_flushed` and `get_expired`: a thread of memcached's takes such items out when it likes.
        const COMPARED: [&str; 12] = [
            "bytes_read",
            "cmd_",
            "get_hits",
            "get_misses",
            "delete_",
            "incr_",
            "decr_",
            "cas_",
            "touch_",
            "auth_",
            "curr_items",
            "total_items",
        ];
        let begins = |name: &str, prefixes: &[&str]| prefixes.iter().any(|it| name.starts_with(it));
        let (of_old, of_new) = (self.old_server.stats(&self.old), self.new_server.stats(&self.new));
        for (name, count) in &of_old {
            if begins(name, &COMPARED) && !begins(name, except) {
                assert_eq!(
                    Some(count),
                    of_new.get(name),
                    "{name} of the old server and the new one"
                );
            }
        }
    }

    /// Panics unless both servers hold the same items, and `compare` says so, too. To be asked last: it reads all
    /// of them.
    pub fn assert_same_items(&self) {
        self.assert_same_items_but(&[]);
    }

    /// The same, but for fields of items that begin like this.
    pub fn assert_same_items_but(&self, fields: &[&str]) {
        let (old, new) = ((&self.old_server, &self.old), (&self.new_server, &self.new));
        memcached::assert_same_items_but(fields, old, new);
        let (counts, verdict) = self.compare();
        assert_eq!(verdict, "same", "{counts:?}");
    }

    /// What `compare` says of all keys, asked on the new host: how many came out how, and the verdict.
    pub fn compare(&self) -> (Counters, String) {
        let pair = format!("{}:{PORT}={}:{PORT}", self.old.v4(), self.new.v4());
        let output = self.new.agent(&format!("compare {pair} --full --wait 1s --json"));
        let document: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        let pair = &document["pairs"][0];
        let verdict = pair["verdict"].as_str().unwrap_or_else(|| panic!("no verdict: {pair}"));
        let keys = pair["keys"].as_object().expect("keys by how they came out");
        let count = |value: &Value| value.as_u64().expect("a count");
        let counts = keys.iter().map(|(name, value)| (name.clone(), count(value))).collect();
        (counts, verdict.to_owned())
    }
}
