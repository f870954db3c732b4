//! Connections of this host with its own memcached, which pass no Ethernet interface.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use crate::config::ports::PortRange;

/// Addresses that are named, at most.
const SHOWN: usize = 4;
const COST: &str = "what they write is missing or stale on the new host; `compare` finds it";

/// What to say of connections (own endpoint, peer) whose peer is this host.
pub(super) fn note(connections: &[(SocketAddr, SocketAddr)]) -> Option<String> {
    let mut by_address: BTreeMap<IpAddr, usize> = BTreeMap::new();
    let mut used = BTreeSet::new();
    for (own, peer) in connections {
        *by_address.entry(peer.ip()).or_default() += 1;
        used.insert(own.port());
    }
    let count: usize = by_address.values().sum();
    let (what, are) = match count {
        0 => return None,
        1 => ("1 connection".to_owned(), "is"),
        more => (format!("{more} connections"), "are"),
    };
    let used: Vec<u16> = used.into_iter().collect();
    let mut from: Vec<String> = by_address
        .iter()
        .take(SHOWN)
        .map(|(address, count)| format!("{address}: {count}"))
        .collect();
    if by_address.len() > SHOWN {
        from.push(format!("{} more addresses", by_address.len() - SHOWN));
    }
    Some(format!(
        "{what} to port {} {are} from this host itself ({}) and not mirrored, as packets within a host pass no \
         Ethernet interface: {COST}",
        PortRange::join(&used),
        from.join(", "),
    ))
}

/// What to say of a unix socket of a process that listens at some of `ports`, and of how many connections it has.
pub(super) fn note_of_unix_socket(
    ports: &BTreeSet<u16>,
    socket: &str,
    connections: usize,
) -> String {
    let ports: Vec<u16> = ports.iter().copied().collect();
    let count = match connections {
        0 => "connections to it are".to_owned(),
        1 => "its 1 connection is".to_owned(),
        more => format!("its {more} connections are"),
    };
    format!(
        "the memcached of port {} listens at the unix socket {socket}, too: {count} not mirrored; {COST}",
        PortRange::join(&ports)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(all: &[(&str, &str)]) -> Vec<(SocketAddr, SocketAddr)> {
        all.iter().map(|(own, peer)| (own.parse().unwrap(), peer.parse().unwrap())).collect()
    }

    #[test]
    fn connections_are_counted_by_address() {
        let some = [
            ("127.0.0.1:11211", "127.0.0.1:40000"),
            ("127.0.0.1:11211", "127.0.0.1:40001"),
            ("10.0.0.2:11212", "10.0.0.2:40002"),
        ];
        let said = note(&connections(&some)).unwrap();
        insta::assert_snapshot!(said, @"3 connections to port 11211-11212 are from this host itself (10.0.0.2: 1, 127.0.0.1: 2) and not mirrored, as packets within a host pass no Ethernet interface: what they write is missing or stale on the new host; `compare` finds it");
        assert_eq!(note(&[]), None);
        let one = note(&connections(&some[2..])).unwrap();
        assert!(one.starts_with("1 connection to port 11212 is from"), "{one}");
    }

    #[test]
    fn many_addresses_are_not_all_named() {
        let peers: Vec<_> = (1..=9).map(|n| format!("10.0.0.{n}:40000")).collect();
        let all: Vec<_> = peers.iter().map(|peer| ("10.0.0.1:1", peer.as_str())).collect();
        let said = note(&connections(&all)).unwrap();
        assert!(said.contains("10.0.0.4: 1, 5 more addresses)"), "{said}");
    }

    #[test]
    fn a_unix_socket_is_named() {
        let said = note_of_unix_socket(&BTreeSet::from([11211]), "/run/cache", 2);
        insta::assert_snapshot!(said, @"the memcached of port 11211 listens at the unix socket /run/cache, too: its 2 connections are not mirrored; what they write is missing or stale on the new host; `compare` finds it");
    }
}
