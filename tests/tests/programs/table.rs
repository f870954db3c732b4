//! Rows: a packet goes in, and all that comes of it has to be as said: the verdict, the packet, its
//! mark, and each counter that moved.

use std::{collections::BTreeSet, time::Instant};

use mirror_tests::{
    Host,
    bpf::{Input, Program},
    tally::Tally,
    wait::{self, DEADLINE},
    wire::Wire,
};

use crate::marks::HELD;

/// What a program is given.
#[derive(Clone, Debug, Default)]
pub(crate) struct In {
    pub(crate) frame: Vec<u8>,
    pub(crate) mark: u32,
    pub(crate) token: u32,
    pub(crate) gso_size: u32,
}

impl In {
    pub(crate) fn marked(frame: Vec<u8>, mark: u32) -> Self {
        Self { frame, mark, ..Self::default() }
    }
}

impl From<Vec<u8>> for In {
    fn from(frame: Vec<u8>) -> Self {
        Self { frame, ..Self::default() }
    }
}

/// What becomes of the packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It goes on as it came, mark and all.
    Passes,
    /// It goes on like this, with this mark.
    Becomes(Vec<u8>, u32),
    /// It is redirected like this, with this mark.
    Redirected(Vec<u8>, u32),
    /// It is redirected like this into the hold device, with a mark that says so, and a number.
    Held(Vec<u8>),
    /// It is dropped.
    Dropped,
    /// It is redirected as it came: a reply to nowhere, a held copy back.
    Diverted,
}

const NEXT: i32 = -1;
const DROP: i32 = 2;
const REDIRECT: i32 = 7;

/// The rows about one host.
pub(crate) struct Table<'a> {
    host: &'a Host,
    ifindex: u32,
    tallies: Vec<Tally>,
    /// Of all counters, and their values in the same order.
    names: Vec<String>,
    before: Vec<u64>,
    moved: BTreeSet<String>,
    rows: usize,
    never_arrived: u64,
    /// While a copy goes round: what was counted before.
    before_it: Option<Vec<u64>>,
}

impl<'a> Table<'a> {
    /// Nothing may happen at `host` but what the rows do. The names of counters get a prefix.
    pub(crate) fn new(host: &'a Host, tallies: Vec<(String, Tally)>) -> Self {
        let ifindex = host.interface_index("eth0");
        let names = tallies.iter().flat_map(|(prefix, tally)| {
            tally.names.iter().map(move |name| format!("{prefix}{name}"))
        });
        let names = names.collect();
        let tallies: Vec<Tally> = tallies.into_iter().map(|(_, tally)| tally).collect();
        let before = read(&tallies);
        Self {
            host,
            ifindex,
            tallies,
            names,
            before,
            moved: BTreeSet::new(),
            rows: 0,
            never_arrived: 0,
            before_it: None,
        }
    }

    /// Runs `program` once; returns the mark that the packet has then. `counts` are the counters that move, with a blank between them: `name` by
    /// one, `name=number` by that, `~name` by whatever it likes.
    pub(crate) fn row(
        &mut self,
        what: &str,
        program: &Program,
        packet: impl Into<In>,
        fate: &Fate,
        counts: &str,
    ) -> u32 {
        let packet = packet.into();
        let input = Input {
            frame: &packet.frame,
            mark: packet.mark,
            token: packet.token,
            gso_size: packet.gso_size,
            ifindex: self.ifindex,
        };
        let output = program
            .run(&input)
            .unwrap_or_else(|error| panic!("{what}: the kernel does not take it: {error}"));
        let seen = match (output.verdict, output.mark) {
            (NEXT, mark) if output.frame == packet.frame && mark == packet.mark => {
                assert_eq!(output.token, packet.token, "{what}: the control buffer");
                Fate::Passes
            }
            (NEXT, mark) => Fate::Becomes(output.frame, mark),
            (REDIRECT, mark) if output.frame == packet.frame && mark == packet.mark => {
                Fate::Diverted
            }
            (REDIRECT, mark) if matches!(fate, Fate::Held(_)) && mark & !0xfff == HELD => {
                Fate::Held(output.frame)
            }
            (REDIRECT, mark) => Fate::Redirected(output.frame, mark),
            (DROP, _) => Fate::Dropped,
            (verdict, _) => panic!("{what}: verdict {verdict}"),
        };
        assert_same(what, &seen, fate);
        self.counted(what, counts);
        output.mark
    }

    /// The same for a packet that arrives over the wire, as the kernel does not take it otherwise.
    pub(crate) fn arrives(&mut self, what: &str, wire: &Wire, frame: &[u8], counts: &str) {
        wire.send(frame);
        self.counted(what, counts);
    }

    /// Waits until these counters, and no others, have moved since the last row.
    pub(crate) fn counted(&mut self, what: &str, counts: &str) {
        let mut expected = vec![0; self.names.len()];
        let mut loose = vec![false; self.names.len()];
        for count in counts.split_whitespace() {
            if let Some(name) = count.strip_prefix('~') {
                loose[self.position(name)] = true;
            } else {
                let (name, number) = count.split_once('=').unwrap_or((count, "1"));
                expected[self.position(name)] = number.parse().expect("a number");
            }
        }
        if self.before_it.is_some() {
            for name in
                ["held", "released", "segment_injected", "discarded_stale", "discarded_mptcp"]
            {
                loose[self.position(name)] = true;
            }
        }
        let start = Instant::now();
        loop {
            let now = read(&self.tallies);
            let moved: Vec<u64> =
                now.iter().zip(&self.before).map(|(now, before)| now - before).collect();
            if (0..moved.len()).all(|at| loose[at] || moved[at] == expected[at]) {
                let moved = self.names.iter().zip(moved).filter(|(_, moved)| *moved > 0);
                self.moved.extend(moved.map(|(name, _)| name.clone()));
                self.before = now;
                self.rows += 1;
                return;
            }
            assert!(
                start.elapsed() < DEADLINE,
                "{what}:\n  moved    {}\n  expected {counts}",
                self.describe(&moved)
            );
        }
    }

    /// From now on, a copy goes round in the hold device.
    pub(crate) fn one_goes_round(&mut self) {
        self.before_it = Some(self.before.clone());
    }

    /// It has come out, and was given to the server.
    pub(crate) fn none_goes_round(&mut self) {
        self.before_it = None;
    }

    /// It comes out when its connection is over, and is counted so.
    pub(crate) fn it_ends(&mut self, counter: &str) {
        let at = self.position(counter);
        let before = self.before_it.as_ref().expect("one goes round")[at];
        wait::until("what goes round to end", || (read(&self.tallies)[at] > before).then_some(()));
        self.counted("what went round", "");
        self.before_it = None;
    }

    /// A row gave a copy that says it was here before, and was not: its arrival was not counted.
    pub(crate) fn never_arrived(&mut self) {
        self.never_arrived += 1;
    }

    /// How many such copies there were.
    pub(crate) fn have_never_arrived(&self) -> u64 {
        self.never_arrived
    }

    fn position(&self, name: &str) -> usize {
        let found = self.names.iter().position(|known| known == name);
        found.unwrap_or_else(|| panic!("there is no counter {name}"))
    }

    /// Like the counts of a row.
    fn describe(&self, moved: &[u64]) -> String {
        let moved = self.names.iter().zip(moved).filter(|(_, moved)| **moved > 0);
        moved.map(|(name, moved)| format!("{name}={moved} ")).collect()
    }

    /// Checks that the agent shows what the kernel counted, and that nothing came late; returns which
    /// counters moved.
    pub(crate) fn finish(mut self, role: &str) -> BTreeSet<String> {
        let shown = self.host.counters(role);
        for (name, value) in self.names.iter().zip(&self.before) {
            // Those of maps are shown with their map.
            assert!(shown.get(name).is_none_or(|shown| shown == value), "{name} in stats");
        }
        self.counted("after the last row", "");
        println!("{role}: {} rows", self.rows - 1);
        self.moved
    }
}

fn read(tallies: &[Tally]) -> Vec<u64> {
    tallies.iter().flat_map(Tally::read).collect()
}

/// Panics unless `missing` names exactly those of `all` counters that did not move, each with a reason.
pub(crate) fn assert_reached(
    all: impl Iterator<Item = String>,
    moved: &BTreeSet<String>,
    missing: &[(&str, &str)],
) {
    let unreached: BTreeSet<String> = all.filter(|name| !moved.contains(name)).collect();
    println!("counters that no row moves:");
    for name in &unreached {
        let reason = missing.iter().find(|(known, _)| known == name);
        println!("  {name}: {}", reason.map_or("nobody said why", |(_, reason)| reason));
    }
    let known = missing.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(unreached, known, "counters that no row moves, and those known not to");
}

fn assert_same(what: &str, seen: &Fate, expected: &Fate) {
    assert!(
        seen == expected,
        "{what}:\n  seen     {}\n  expected {}",
        describe(seen),
        describe(expected)
    );
}

fn describe(fate: &Fate) -> String {
    match fate {
        Fate::Becomes(frame, mark) => format!("becomes {}, mark {mark:#x}", hex(frame)),
        Fate::Redirected(frame, mark) => format!("redirected {}, mark {mark:#x}", hex(frame)),
        Fate::Held(frame) => format!("held {}", hex(frame)),
        Fate::Passes | Fate::Dropped | Fate::Diverted => format!("{fate:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
