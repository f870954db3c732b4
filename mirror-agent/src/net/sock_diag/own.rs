//! TCP connections of this host with itself. The kernel chooses them, by a filter of addresses, so that a host with
//! 100,000 other connections answers at once.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use anyhow::Result;
use netlink_packet_sock_diag::{
    AF_INET, AF_INET6, IPPROTO_TCP,
    inet::{ExtensionFlags, InetResponse, SocketId, StateFlags},
};
use rtnetlink::packet_core::{NLM_F_DUMP, NetlinkMessage};

use crate::net::address::Prefix;

use super::{bytes_of, dump, endpoints, open, receive, request, send_bytes};

/// Addresses that are asked for at most: the kernel compares each socket with each of them.
const MOST: usize = 64;
/// `INET_DIAG_REQ_BYTECODE` (`include/uapi/linux/inet_diag.h`, as all that follows).
const BYTECODE: u16 = 1;
/// `INET_DIAG_BC_JMP` and `INET_DIAG_BC_D_COND`.
const JUMP: u8 = 1;
const PEER_IS: u8 = 8;
/// Bytes of an instruction, and of a condition without its address.
const INSTRUCTION: usize = 4;
const CONDITION: usize = 8;

/// Own endpoint and peer of each established connection to one of `ports` whose peer has a loopback address or one of
/// `own`. Only where something listens at the port.
///
/// # Errors
///
/// Where the kernel does not list its sockets.
pub fn connections_with_self(
    ports: &BTreeSet<u16>,
    own: &[IpAddr],
) -> Result<Vec<(SocketAddr, SocketAddr)>> {
    let filter = filter(&networks(own));
    let socket = open()?;
    let none = ExtensionFlags::empty;
    let mut found = Vec::new();
    for family in [AF_INET, AF_INET6] {
        let listening = dump(&socket, family, StateFlags::LISTEN, none(), 0)?;
        if !listening.iter().any(|one| ports.contains(&one.header.socket_id.source_port)) {
            continue;
        }
        let mut id = if family == AF_INET { SocketId::new_v4() } else { SocketId::new_v6() };
        if let (Some(port), 1) = (ports.first(), ports.len()) {
            id.source_port = *port;
        }
        let request = request((family, IPPROTO_TCP), StateFlags::ESTABLISHED, none(), id);
        let mut bytes = bytes_of(NetlinkMessage::from(request), NLM_F_DUMP);
        append(&mut bytes, BYTECODE, &filter);
        send_bytes(&socket, &bytes)?;
        let answers: Vec<InetResponse> = receive(&socket)?;
        found.extend(answers.iter().map(|response| endpoints(&response.header.socket_id)));
    }
    found.retain(|(own, _)| ports.contains(&own.port()));
    Ok(found)
}

/// What the peer of such a connection may have.
fn networks(own: &[IpAddr]) -> Vec<Prefix> {
    let loopback =
        [Prefix(Ipv4Addr::new(127, 0, 0, 0).into(), 8), Prefix::only(Ipv6Addr::LOCALHOST.into())];
    let others = own.iter().filter(|address| !address.is_loopback()).copied().map(Prefix::only);
    loopback.into_iter().chain(others).take(MOST).collect()
}

/// A program for the kernel's filter of sockets: those whose peer is in one of `networks`. A condition that holds goes
/// on with the jump behind it, which leads to the end; one that does not hold skips it. Past the end means no. A
/// condition of IPv4 holds for addresses that are mapped into IPv6, too (kernel: `inet_diag_bc_run`).
fn filter(networks: &[Prefix]) -> Vec<u8> {
    let size = |Prefix(address, _): &Prefix| {
        INSTRUCTION + CONDITION + if address.is_ipv4() { 4 } else { 16 }
    };
    let total: usize = networks.iter().map(|network| size(network) + INSTRUCTION).sum();
    // The last has no jump behind it: where it ends, the program does.
    let total = total.saturating_sub(INSTRUCTION);
    let mut program = Vec::with_capacity(total);
    for network in networks {
        let (size, Prefix(address, length)) = (size(network), network);
        instruction(&mut program, PEER_IS, size, size + INSTRUCTION);
        let family = if address.is_ipv4() { AF_INET } else { AF_INET6 };
        program.extend([family, *length, 0, 0]);
        // Any port.
        program.extend((-1i32).to_ne_bytes());
        match address {
            IpAddr::V4(v4) => program.extend(v4.octets()),
            IpAddr::V6(v6) => program.extend(v6.octets()),
        }
        if program.len() < total {
            let left = total - program.len();
            instruction(&mut program, JUMP, INSTRUCTION, left);
        }
    }
    program
}

/// `struct inet_diag_bc_op`: where to go on from here, in bytes, if it holds and if not. [`MOST`] keeps both in range.
fn instruction(program: &mut Vec<u8>, code: u8, yes: usize, no: usize) {
    program.extend([code, yes as u8]);
    program.extend((no as u16).to_ne_bytes());
}

/// Puts an attribute behind a message, whose first word is its length.
fn append(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    const HEADER: usize = 4;
    message.extend(((HEADER + value.len()) as u16).to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    let length = message.len() as u32;
    message[..4].copy_from_slice(&length.to_ne_bytes());
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// What the kernel does with the program, for a peer.
    fn admits(mut program: &[u8], peer: IpAddr) -> bool {
        while let [code, yes, no_low, no_high, rest @ ..] = program {
            let no = usize::from(u16::from_ne_bytes([*no_low, *no_high]));
            let holds = *code == PEER_IS && {
                let bits = usize::from(rest[1]);
                let (wanted, octets) = match peer {
                    IpAddr::V4(v4) => (AF_INET, v4.octets().to_vec()),
                    IpAddr::V6(v6) => (AF_INET6, v6.octets().to_vec()),
                };
                let net = &rest[CONDITION..];
                rest[0] == wanted
                    && (0..bits)
                        .all(|bit| (net[bit / 8] ^ octets[bit / 8]) >> (7 - bit % 8) & 1 == 0)
            };
            let step = if holds { usize::from(*yes) } else { no };
            match program.get(step..) {
                Some(rest) => program = rest,
                None => return false,
            }
        }
        true
    }

    #[test]
    fn the_filter_admits_own_addresses_alone() {
        let own = ["10.0.0.2", "fd00::2", "10.0.0.3"].map(|text| text.parse().unwrap());
        let program = filter(&networks(&own));
        for (peer, expected) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("10.0.0.2", true),
            ("fd00::2", true),
            ("10.0.0.3", true),
            ("10.0.0.4", false),
            ("128.0.0.1", false),
            ("fd00::3", false),
            ("::2", false),
        ] {
            assert_eq!(admits(&program, peer.parse().unwrap()), expected, "{peer}");
        }
    }

    #[test]
    fn many_addresses_are_cut_off() {
        let own: Vec<IpAddr> = (0..1000).map(|n| Ipv4Addr::from(0x0a00_0000 + n).into()).collect();
        assert_eq!(networks(&own).len(), MOST);
        assert!(filter(&networks(&own)).len() < usize::from(u16::MAX));
    }

    #[test]
    fn the_kernel_takes_the_filter() {
        for (at, connect) in
            [("127.0.0.1:0", "127.0.0.1"), ("[::]:0", "127.0.0.1"), ("[::1]:0", "::1")]
        {
            let Ok(listener) = TcpListener::bind(at) else { continue };
            let port = listener.local_addr().unwrap().port();
            let client = TcpStream::connect((connect, port)).unwrap();
            let own = client.local_addr().unwrap();
            let found = match connections_with_self(&BTreeSet::from([port]), &[]) {
                Ok(found) => found,
                // Some sandboxes have no sock_diag.
                Err(error) => return println!("not tried: {error:#}"),
            };
            assert!(
                found.iter().any(|(to, from)| to.port() == port && *from == own),
                "{at}: {found:?}"
            );
        }
    }
}
