//! The new host's programs.

use std::{cell::Cell, net::SocketAddr};

use mirror_common::abi::TargetCounter;
use mirror_tests::{agent::sum, craft::Packet, program::Program, sealed::copy_of, tally::Tally};

use crate::{
    adoption, connections, narrow,
    place::{Place, client},
    real_clients,
    table::{Table, assert_reached},
    target_egress, target_ingress, unusual, waiting,
};

/// Not the one that is used where none is given.
pub(crate) const MAGIC: u32 = 0xa1b2_c3d4;
/// Served.
pub(crate) const PORT: u16 = 11211;
/// Not served.
pub(crate) const OTHER: u16 = 11300;

/// Counters that no row moves, and why.
const NOT_REACHED: &[(&str, &str)] = &[(
    "discarded_rewrite",
    "the packet's bytes cannot be written only where the kernel has no memory for them",
)];

/// A target, and the programs at its interface.
pub(crate) struct Target {
    pub(crate) place: Place,
    pub(crate) ingress: Program,
    pub(crate) egress: Program,
    pub(crate) hold: Program,
    clients: Cell<u16>,
}

impl Target {
    fn new(flows: u32) -> Self {
        let place = Place::new();
        place.host.agent_ok(&format!("drop eth0 --port {PORT} --magic {MAGIC} --flows {flows}"));
        let program = |hook| Program::attached(&place.host, "target", hook);
        let (ingress, egress, hold) = (program("ingress"), program("egress"), program("hold"));
        Self { place, ingress, egress, hold, clients: Cell::new(0) }
    }

    fn table(&self) -> Table<'_> {
        self.place.host.settled("target");
        Table::new(&self.place.host, vec![(String::new(), Tally::target(&self.place.host))])
    }

    /// A client that nobody has heard of yet, to talk to a server like this one.
    pub(crate) fn new_client(&self, server: SocketAddr) -> SocketAddr {
        self.clients.set(self.clients.get() + 1);
        SocketAddr::new(client(server).ip(), self.clients.get())
    }
}

/// The copy of what a client sent, as it arrives here.
pub(crate) fn sealed(packet: &Packet) -> Packet {
    Packet { tags: packet.tags.clone(), ..copy_of(packet, packet.to, MAGIC) }
}

#[test]
fn target() {
    let target = Target::new(1 << 16);
    let mut table = target.table();
    target_ingress::rows(&target, &mut table);
    target_egress::rows(&target, &mut table);
    connections::rows(&target, &mut table);
    unusual::rows(&target, &mut table);
    adoption::rows(&target, &mut table);
    waiting::rows(&target, &mut table);
    real_clients::rows(&target, &mut table);
    assert_sums(&target, &table);
    let mut moved = table.finish("target");

    let small = Target::new(2);
    small.place.host.ip(&["link", "set", "eth0", "down"]);
    let mut table = small.table();
    narrow::rows(&small, &mut table);
    assert_sums(&small, &table);
    moved.extend(table.finish("target"));

    let all = TargetCounter::ALL.iter().map(|counter| counter.name().to_owned());
    assert_reached(all, &moved, NOT_REACHED);
}

/// Every copy that the rows sent in has a name.
fn assert_sums(target: &Target, table: &Table<'_>) {
    let counters = target.place.host.counters("target");
    assert_eq!(
        counters["arrived"] + table.have_never_arrived() + counters["returned"],
        counters["applied"] + sum(&counters, "discarded_") + counters["held"],
        "{counters:?}"
    );
}
