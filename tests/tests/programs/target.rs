//! The new host's programs.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::atomic::{AtomicU16, Ordering},
};

use mirror_common::abi::TargetCounter;
use mirror_tests::{
    agent::sum, bpf::Program, craft::Packet, host::Running, sealed::copy_of, tally::Tally,
};

use crate::{
    adoption, commands, connections, direct_clients, error_replies, errors, evicted, fragments,
    inspection, late, multipath, narrow,
    place::{Place, client},
    source_mac,
    table::{Table, assert_reached},
    target_egress, target_ingress, teardown, unusual, waiting, way_back,
};

/// Not the one that is used where none is given.
pub(crate) const MAGIC: u32 = 0xa1b2_c3d4;
/// Served.
pub(crate) const PORT: u16 = 11211;
/// Not served.
pub(crate) const OTHER: u16 = 11300;

/// Counters that no row moves, and why.
const NOT_REACHED: &[(&str, &str)] = &[
    (
        "discarded_rewrite",
        "a packet that was read cannot be written only where the kernel has no memory",
    ),
    ("discarded_no_memory", "the kernel has no memory"),
];

/// A target, and the programs at its interface.
pub(crate) struct Target {
    _agent: Option<Running>,
    pub(crate) place: Place,
    pub(crate) ingress: Program,
    pub(crate) egress: Program,
    pub(crate) hold: Program,
    clients: AtomicU16,
}

impl Target {
    /// With further options; [`STAY`](crate::place::STAY) among them has the agent stay.
    pub(crate) fn new(options: &str) -> Self {
        let place = Place::new();
        let agent = place.attach(&format!("drop eth0 --port {PORT} --magic {MAGIC} {options}"));
        let program = |hook| Program::attached(&place.host, "target", hook);
        let (ingress, egress, hold) = (program("ingress"), program("egress"), program("hold"));
        Self { _agent: agent, place, ingress, egress, hold, clients: AtomicU16::new(0) }
    }

    /// Does rows, and nothing else; returns which counters moved.
    pub(crate) fn fill(&self, rows: &[fn(&Self, &mut Table<'_>)]) -> BTreeSet<String> {
        let host = &self.place.host;
        host.run(|| {
            host.settled("target");
            let mut table = Table::new(host, vec![(String::new(), Tally::target(host))]);
            for rows in rows {
                rows(self, &mut table);
            }
            assert_sums(self, &table);
            table.finish("target")
        })
    }

    /// A client that nobody has heard of yet, to talk to a server like this one.
    pub(crate) fn new_client(&self, server: SocketAddr) -> SocketAddr {
        let port = 1 + self.clients.fetch_add(1, Ordering::Relaxed);
        SocketAddr::new(client(server).ip(), port)
    }
}

/// The copy of what a client sent, as it arrives here.
pub(crate) fn sealed(packet: &Packet) -> Packet {
    Packet { tags: packet.tags.clone(), ..copy_of(packet, packet.to, MAGIC) }
}

#[test]
fn target() {
    let mut moved = Target::new("").fill(&[
        waiting::rows,
        teardown::rows,
        inspection::target_rows,
        multipath::target_rows,
        late::rows,
        adoption::rows,
        direct_clients::rows,
        connections::rows,
        commands::rows,
        unusual::rows,
        target_ingress::rows,
        target_egress::rows,
        fragments::rows,
        error_replies::rows,
        errors::rows,
    ]);
    moved.extend(Target::new("").fill(&[way_back::rows]));
    let small = Target::new("--max-connections 2");
    moved.extend(small.fill(&[evicted::rows]));
    small.place.host.ip(&["link", "set", "eth0", "down"]);
    moved.extend(small.fill(&[narrow::rows]));
    let limited = Target::new(&format!("--source-mac {}", source_mac::mac()));
    moved.extend(limited.fill(&[source_mac::rows]));

    let all = TargetCounter::ALL.iter().map(|counter| counter.name().to_owned());
    assert_reached(all, &moved, NOT_REACHED);
}

/// Every copy that the rows sent in has a name.
fn assert_sums(target: &Target, table: &Table<'_>) {
    let counters = target.place.host.counters("target");
    assert_eq!(
        counters["arrived"] + table.have_never_arrived() + counters["released"],
        counters["applied"] + sum(&counters, "discarded_") + counters["held"],
        "{counters:?}"
    );
}
