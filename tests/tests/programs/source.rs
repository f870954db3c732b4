//! The old host's programs.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use mirror_common::abi::{MappingCounter, SourceCounter};
use mirror_tests::{
    bpf::Program,
    client::frame,
    craft::{ACK, Body, Datagram, PSH, Packet, Segment},
    host::Running,
    sealed::copy_of,
    tally::Tally,
};

use crate::{
    chosen, inspection, multipath, pieces,
    place::{Place, target, v4, v6},
    redundant, source_copies, source_ingress, source_lies,
    table::{Table, assert_reached},
    taken,
    truncated::ETHERNET,
};

/// Not the one that is used where none is given.
pub(crate) const MAGIC: u32 = 0x5ca1_ab1e;
/// Mapped to one target in each family.
pub(crate) const PORT: u16 = 11211;
/// Mapped for one IPv4 address only.
pub(crate) const NARROW: u16 = 11212;
/// Mapped to two targets of IPv4 and one of IPv6.
pub(crate) const FAN: u16 = 11213;
/// Not mapped.
pub(crate) const OTHER: u16 = 11300;

/// Counters that no row moves, and why.
const NOT_REACHED: &[(&str, &str)] = &[];

/// A source with a wire behind which its targets are.
pub(crate) struct Source {
    _agent: Option<Running>,
    pub(crate) place: Place,
    pub(crate) ingress: Program,
    pub(crate) copies: Program,
}

impl Source {
    /// With further options; [`place::STAY`](crate::place::STAY) among them has the agent stay. No server is on the
    /// host, so that all that it takes is what it passes on.
    pub(crate) fn new(options: &str) -> Self {
        Self::at(Place::new(), &format!("--forwarded {options}"))
    }

    /// At a host that takes packets itself.
    pub(crate) fn with_servers(place: Place) -> Self {
        Self::at(place, "")
    }

    fn at(place: Place, options: &str) -> Self {
        let (t4, t6) = (target(v4(0)), target(v6(0)));
        let agent = place.attach(&format!(
            "attach eth0 --magic {MAGIC} \
             --map {PORT}={t4}:11211 --map {PORT}=[{t6}]:11211 \
             --map 192.0.2.7:{NARROW}={t4}:12000 \
             --map {FAN}={t4}:11211 --map {FAN}={t4}:12001 --map {FAN}=[{t6}]:11211 {options}"
        ));
        let program = |hook| Program::attached(&place.host, "source", hook);
        let (ingress, copies) = (program("ingress"), program("copies"));
        Self { _agent: agent, place, ingress, copies }
    }

    /// Does rows, and nothing else; returns which counters moved.
    pub(crate) fn fill(&self, rows: &[fn(&Self, &mut Table<'_>)]) -> BTreeSet<String> {
        let host = &self.place.host;
        host.run(|| {
            let mut tallies = vec![(String::new(), Tally::source(host))];
            for number in 0..Self::MAPS {
                tallies.push((format!("map{number}:"), Tally::mapping(host, number)));
            }
            host.settled("source");
            let mut table = Table::new(host, tallies);
            for rows in rows {
                rows(self, &mut table);
                let rest = self.place.wire.rest();
                assert_eq!(rest, Vec::<Vec<u8>>::new(), "copies that no row expects");
            }
            host.settled("source");
            table.finish("source")
        })
    }

    /// How many maps there are; their numbers are in the order of the command line.
    const MAPS: u32 = 6;

    /// Where copies go by map `number`.
    fn target(number: u32) -> SocketAddr {
        let (t4, t6) = (target(v4(0)), target(v6(0)));
        let (address, port): (IpAddr, u16) = match number {
            0 | 3 => (t4, 11211),
            1 | 5 => (t6, 11211),
            2 => (t4, 12000),
            4 => (t4, 12001),
            number => panic!("there is no map {number}"),
        };
        SocketAddr::new(address, port)
    }

    /// The copy that map `number` makes of a packet.
    pub(crate) fn copy(packet: &Packet, number: u32) -> Packet {
        copy_of(packet, Self::target(number), MAGIC)
    }

    /// The counts of so many copies of a packet that leave by map `number`, each in one segment.
    pub(crate) fn sent(packet: &Packet, number: u32, copies: usize) -> String {
        let bytes = copies * (Self::copy(packet, number).bytes().len() - ETHERNET);
        format!(
            "map{number}:sent={copies} map{number}:sent_segments={copies} map{number}:sent_bytes={bytes} "
        )
    }

    /// The map to one target that takes packets like this one to [`PORT`].
    pub(crate) fn map_of(packet: &Packet) -> u32 {
        if packet.to.is_ipv4() { 0 } else { 1 }
    }
}

/// A request in a segment.
pub(crate) fn segment() -> Segment {
    Segment {
        seq: 0x8123_4567,
        ack: 0x89ab_cdef,
        flags: ACK | PSH,
        window: 501,
        // NOP, NOP, timestamps.
        options: vec![1, 1, 8, 10, 0, 1, 2, 3, 4, 5, 6, 7],
        payload: b"get some_key\r\n".to_vec(),
        ..Segment::default()
    }
}

/// A request in a datagram.
pub(crate) fn datagram() -> Datagram {
    let payload = frame(0x0102, 1, b"get some_key!\r\n");
    Datagram { payload, ..Datagram::default() }
}

/// Both.
pub(crate) fn requests() -> [Body; 2] {
    [Body::Tcp(segment()), Body::Udp(datagram())]
}

#[test]
fn source() {
    let source = Source::new("");
    let mut moved = source.fill(&[
        source_ingress::rows,
        source_lies::rows,
        source_copies::rows,
        inspection::source_rows,
        multipath::source_rows,
        pieces::rows,
        refused,
    ]);
    moved.extend(Source::new("--redundancy 3").fill(&[redundant::rows]));
    moved.extend(chosen::fill());
    moved.extend(taken::fill());
    let moved: BTreeSet<String> = moved
        .into_iter()
        .map(|name| match name.split_once(':') {
            Some((_, counter)) => format!("map:{counter}"),
            None => name,
        })
        .collect();
    let of_maps = MappingCounter::ALL.iter().map(|counter| format!("map:{}", counter.name()));
    let all = SourceCounter::ALL.iter().map(|counter| counter.name().to_owned()).chain(of_maps);
    assert_reached(all, &moved, NOT_REACHED);
}

/// When somebody took the copy device away. Nothing can follow.
fn refused(source: &Source, table: &mut Table<'_>) {
    let host = &source.place.host;
    host.ip(&["link", "del", &host.copy_device("eth0")]);
    source_ingress::rows_with_clones_refused(source, table);
    source_copies::rows_with_clones_refused(source, table);
}
