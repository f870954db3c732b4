//! Tells targets that no more copies come, so that they end their side of each connection at once.
//!
//! The programs keep no list of connections; this host's TCP does. For each connection to a port
//! that was mapped, one sealed segment with the flags [`tcp::NO_MORE`] goes the way that copies went.
//! A target that never knew the connection counts and drops it.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd as _, OwnedFd},
};

use anyhow::{Context as _, Result};
use mirror_common::packet::{
    checksum,
    seal::{self, Magic},
    tcp,
};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, sendto, socket,
};

use crate::{
    config::mapping::MapSpec,
    net::{address::address, sock_diag},
};

/// Tells the targets of `maps` that copies end, of those ends that `ends` says a client's connection has. Without
/// it they end their connections when they are detached, or when a client that left is missed.
pub fn tell(
    interface: &str,
    maps: &[MapSpec],
    magic: Magic,
    endpoints: impl Fn(&MapSpec, SocketAddr) -> Vec<SocketAddr>,
) -> usize {
    send(maps, magic, endpoints).unwrap_or_else(|error| {
        log::warn!(
            "{interface}: could not tell the targets that copies end ({error:#}); their memcached \
             keeps the connections until `detach` there"
        );
        0
    })
}

/// Sends a teardown notice for every connection that one of `maps` matched, for each of the endpoints that `endpoints`
/// says its copies had (it is given the client's own), with the seal that they had. Returns how many were sent.
fn send(
    maps: &[MapSpec],
    magic: Magic,
    endpoints: impl Fn(&MapSpec, SocketAddr) -> Vec<SocketAddr>,
) -> Result<usize> {
    let mut sent = 0;
    let ports: BTreeSet<u16> = maps.iter().map(|map| map.local_port).collect();
    for port in ports {
        let connections = sock_diag::connections(port)?;
        for map in maps.iter().filter(|map| map.local_port == port) {
            let of_map = connections.iter().filter(|(own, client)| takes(map, *own, *client));
            sent += send_to(map, of_map.flat_map(|(_, client)| endpoints(map, *client)), magic)?;
        }
    }
    Ok(sent)
}

/// Whether a connection to a map's port is one of the map's.
fn takes(map: &MapSpec, own: SocketAddr, client: SocketAddr) -> bool {
    client.is_ipv4() == map.target.is_ipv4() && map.local_addr.is_none_or(|local| local == own.ip())
}

/// The same for one map and the connections of these clients.
fn send_to(
    map: &MapSpec,
    clients: impl Iterator<Item = SocketAddr>,
    magic: Magic,
) -> Result<usize> {
    let target = map.target.ip();
    let socket = raw_socket(target)?;
    // The port has no meaning to a raw socket, and IPv6 wants none.
    let to = SockaddrStorage::from(SocketAddr::new(target, 0));
    let mut sent = 0;
    for client in clients {
        let packet = packet(client, map.target, magic).context("cannot seal a segment")?;
        sendto(socket.as_raw_fd(), &packet, &to, MsgFlags::empty())
            .with_context(|| format!("cannot send to {target}"))?;
        sent += 1;
    }
    Ok(sent)
}

/// A socket that takes whole IP packets (ip(7), raw(7), ipv6(7): `IPPROTO_RAW`).
fn raw_socket(target: IpAddr) -> Result<OwnedFd> {
    let family = if target.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw)
        .context("cannot open a raw socket (this takes CAP_NET_RAW)")
}

/// An IP packet from `client` to `target`. The kernel fills in IPv4's checksum.
fn packet(client: SocketAddr, target: SocketAddr, magic: Magic) -> Option<Vec<u8>> {
    const TTL: u8 = 64;
    let mut header = tcp::Header([0; 5]);
    header.set_ports(client.port().to_be(), target.port().to_be());
    header.set_control(tcp::HEADER, tcp::NO_MORE, 0);
    let mut header = seal::seal_tcp(&header, magic)?;
    let (src, dst) = (address(client.ip()), address(target.ip()));
    let length = u16::try_from(tcp::HEADER).ok()?;
    let sum = checksum::pseudo_header(&src, &dst, mirror_common::packet::parse::TCP, length);
    let (sum, urgent) = (checksum::add(sum, &header.0), header.urgent());
    header.set_checksum(checksum::finish(sum));
    header.set_urgent(urgent);

    let mut bytes = Vec::with_capacity(60);
    match (client.ip(), target.ip()) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            bytes.extend([0x45, 0]);
            bytes.extend((20 + length).to_be_bytes());
            bytes.extend([0, 0, 0x40, 0, TTL, mirror_common::packet::parse::TCP, 0, 0]);
            bytes.extend(src.octets());
            bytes.extend(dst.octets());
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            bytes.extend([0x60, 0, 0, 0]);
            bytes.extend(length.to_be_bytes());
            bytes.extend([mirror_common::packet::parse::TCP, TTL]);
            bytes.extend(src.octets());
            bytes.extend(dst.octets());
        }
        _ => return None,
    }
    bytes.extend(header.0.iter().flat_map(|word| word.to_ne_bytes()));
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mirror_common::packet::parse;

    #[test]
    fn a_farewell_is_a_sealed_copy() {
        for (client, target) in
            [("10.0.0.1:40000", "10.0.0.5:11211"), ("[fd00::1]:40000", "[fd00::5]:11211")]
        {
            let packet =
                packet(client.parse().unwrap(), target.parse().unwrap(), Magic::DEFAULT).unwrap();
            let mut frame = vec![0; 12];
            frame.extend(if packet[0] >> 4 == 4 { [8, 0] } else { [0x86, 0xdd] });
            frame.extend(packet);
            let headers = parse::headers(&frame[..]).unwrap();
            assert_eq!(headers.src, address(client.parse::<SocketAddr>().unwrap().ip()));
            assert_eq!((headers.src_port_number(), headers.dst_port_number()), (40000, 11211));
            let words: Vec<u32> = frame[headers.l4 as usize..]
                .chunks(4)
                .map(|word| u32::from_ne_bytes(word.try_into().unwrap()))
                .collect();
            let header = tcp::Header(words.try_into().unwrap());
            assert!(seal::is_sealed_tcp(&header, Magic::DEFAULT));
            assert_eq!(seal::unseal_tcp(&header).flags(), tcp::NO_MORE);
        }
    }
}
