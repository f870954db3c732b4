//! Lists memcached's connections and listeners by the kernel's socket diagnosis (`sock_diag`).

use std::{collections::BTreeSet, net::SocketAddr};

use anyhow::{Context as _, Result};
use netlink_packet_sock_diag::{
    AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP, SockDiagMessage,
    inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags, nlas::Nla},
};
use rtnetlink::{
    packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload, NetlinkSerializable},
    sys::{Socket, SocketAddr as Kernel, protocols::NETLINK_SOCK_DIAG},
};

pub mod end;
pub mod own;
pub mod unix;

/// Connections of this host, in this network namespace, to the local port `port`: own end, client's
/// end.
pub fn connections(port: u16) -> Result<Vec<(SocketAddr, SocketAddr)>> {
    let socket = open()?;
    let mut found = Vec::new();
    for family in [AF_INET, AF_INET6] {
        found.extend(list(&socket, family, port)?.iter().map(endpoints));
    }
    Ok(found)
}

/// How many connections memcached has at a port in this network namespace.
///
/// # Errors
///
/// Where the kernel does not list its sockets.
pub fn count_open(port: u16) -> Result<u64> {
    let socket = open()?;
    let mut count = 0;
    for family in [AF_INET, AF_INET6] {
        let states = StateFlags::ESTABLISHED | StateFlags::CLOSE_WAIT;
        count += dump(&socket, family, states, ExtensionFlags::empty(), port)?.len() as u64;
    }
    Ok(count)
}

/// A TCP socket that takes connections.
#[derive(Clone, Copy, Debug)]
pub struct Listener {
    /// The port that it listens at.
    pub port: u16,
    /// What tells it from all other sockets that there ever were.
    pub cookie: u64,
    /// Its number in the file system of sockets.
    pub inode: u32,
    /// Its receive buffer, in bytes as the kernel counts them.
    pub receive_buffer: u32,
}

/// All TCP sockets of this network namespace that take connections.
pub fn listeners() -> Result<Vec<Listener>> {
    let socket = open()?;
    let mut found = Vec::new();
    for family in [AF_INET, AF_INET6] {
        let listening = dump(&socket, family, StateFlags::LISTEN, ExtensionFlags::SKMEMINFO, 0)?;
        for response in listening {
            let memory = response.nlas.iter().find_map(|attribute| match attribute {
                Nla::MemInfo(memory) => Some(memory),
                _ => None,
            });
            let memory = memory.context("sock_diag does not say how large receive buffers are")?;
            let id = &response.header.socket_id;
            found.push(Listener {
                port: id.source_port,
                cookie: cookie(id.cookie),
                inode: response.header.inode,
                receive_buffer: memory.receive_queue_max,
            });
        }
    }
    Ok(found)
}

/// Ports of this network namespace at which anything takes TCP connections, or has a UDP socket.
///
/// # Errors
///
/// Where the kernel does not list TCP sockets. It may not list those of UDP, for want of `CONFIG_INET_UDP_DIAG`.
pub fn open_ports() -> Result<BTreeSet<u16>> {
    let socket = open()?;
    let mut found = BTreeSet::new();
    let none = ExtensionFlags::empty;
    for family in [AF_INET, AF_INET6] {
        let listening = dump(&socket, family, StateFlags::LISTEN, none(), 0)?;
        let bound = match dump_of(&socket, (family, IPPROTO_UDP), StateFlags::all(), none(), 0) {
            Ok(bound) => bound,
            Err(error) => {
                log::debug!("UDP sockets cannot be listed ({error:#})");
                Vec::new()
            }
        };
        found.extend(listening.iter().chain(&bound).map(|one| one.header.socket_id.source_port));
    }
    Ok(found)
}

/// Ports of this network namespace that a UDP socket is bound to.
///
/// # Errors
///
/// Where the kernel does not list them, as without `CONFIG_INET_UDP_DIAG`.
pub fn udp_ports() -> Result<BTreeSet<u16>> {
    let socket = open()?;
    let mut found = BTreeSet::new();
    for family in [AF_INET, AF_INET6] {
        let protocol = (family, IPPROTO_UDP);
        let bound = dump_of(&socket, protocol, StateFlags::all(), ExtensionFlags::empty(), 0)?;
        found.extend(bound.iter().map(|one| one.header.socket_id.source_port));
    }
    Ok(found)
}

/// A cookie as `SO_COOKIE` has it; `sock_diag` splits it in two words, the lower first.
fn cookie([a, b, c, d, e, f, g, h]: [u8; 8]) -> u64 {
    let (low, high) = (u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h]));
    u64::from(low) | u64::from(high) << 32
}

fn open() -> Result<Socket> {
    let socket = Socket::new(NETLINK_SOCK_DIAG).context("cannot open a sock_diag socket")?;
    socket.connect(&Kernel::new(0, 0)).context("cannot reach the kernel's sock_diag")?;
    Ok(socket)
}

/// Own end and client's end. Addresses as such: memcached may serve IPv4 on a socket of IPv6.
fn endpoints(id: &SocketId) -> (SocketAddr, SocketAddr) {
    (
        SocketAddr::new(id.source_address.to_canonical(), id.source_port),
        SocketAddr::new(id.destination_address.to_canonical(), id.destination_port),
    )
}

/// All sockets of `family` with this local port that are not listeners.
fn list(socket: &Socket, family: u8, port: u16) -> Result<Vec<SocketId>> {
    let states = StateFlags::all() - StateFlags::LISTEN;
    let found = dump(socket, family, states, ExtensionFlags::empty(), port)?;
    Ok(found.into_iter().map(|response| response.header.socket_id).collect())
}

/// All TCP sockets of `family` in one of these states with this local port, 0 for any.
fn dump(
    socket: &Socket,
    family: u8,
    states: StateFlags,
    extensions: ExtensionFlags,
    port: u16,
) -> Result<Vec<InetResponse>> {
    dump_of(socket, (family, IPPROTO_TCP), states, extensions, port)
}

/// The same of any protocol.
fn dump_of(
    socket: &Socket,
    (family, protocol): (u8, u8),
    states: StateFlags,
    extensions: ExtensionFlags,
    port: u16,
) -> Result<Vec<InetResponse>> {
    let any = if family == AF_INET { SocketId::new_v4() } else { SocketId::new_v6() };
    let id = SocketId { source_port: port, ..any };
    let request = request((family, protocol), states, extensions, id);
    send(socket, NetlinkMessage::from(request), NLM_F_DUMP)?;
    receive(socket)
}

/// What the kernel lists.
fn receive<T: Answer>(socket: &Socket) -> Result<Vec<T>> {
    let mut found = Vec::new();
    loop {
        let (bytes, _) = socket.recv_from_full().context("sock_diag did not answer")?;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let message = NetlinkMessage::<SockDiagMessage>::deserialize(rest)
                .context("sock_diag's answer cannot be read")?;
            let length = (message.header.length as usize).next_multiple_of(4);
            rest = rest.get(length..).unwrap_or_default();
            match message.payload {
                NetlinkPayload::InnerMessage(answer) => found.extend(T::of(answer)),
                NetlinkPayload::Done(_) => return Ok(found),
                NetlinkPayload::Error(error) => {
                    return Err(error.to_io()).context("cannot list sockets");
                }
                _ => {}
            }
        }
    }
}

/// What a kind of socket is listed as.
trait Answer: Sized {
    fn of(message: SockDiagMessage) -> Option<Self>;
}

impl Answer for InetResponse {
    fn of(message: SockDiagMessage) -> Option<Self> {
        match message {
            SockDiagMessage::InetResponse(response) => Some(*response),
            _ => None,
        }
    }
}

fn request(
    (family, protocol): (u8, u8),
    states: StateFlags,
    extensions: ExtensionFlags,
    socket_id: SocketId,
) -> SockDiagMessage {
    SockDiagMessage::InetRequest(InetRequest { family, protocol, extensions, states, socket_id })
}

fn send<M: NetlinkSerializable>(
    socket: &Socket,
    message: NetlinkMessage<M>,
    flags: u16,
) -> Result<()> {
    send_bytes(socket, &bytes_of(message, flags))
}

fn bytes_of<M: NetlinkSerializable>(mut message: NetlinkMessage<M>, flags: u16) -> Vec<u8> {
    message.header.flags = NLM_F_REQUEST | flags;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

fn send_bytes(socket: &Socket, bytes: &[u8]) -> Result<()> {
    socket.send(bytes, 0).context("cannot ask sock_diag")?;
    Ok(())
}
