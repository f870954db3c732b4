//! Ends memcached's sockets of mirrored connections, in every network namespace that processes of this host are in.
//!
//! Without the programs nobody plays the client of a mirrored connection's socket: sooner or later they would send something
//! to the real one. So they go while the programs at egress still drop their resets.
//!
//! A socket is ended by the cookie that it was listed with, never by its 4-tuple alone: where no
//! connection has that 4-tuple, the kernel takes the *listener* for what was meant (kernel:
//! `inet_diag_find_one_icsk`).

use std::{collections::HashSet, net::SocketAddr};

use anyhow::{Context as _, Result, bail};
use mirror_common::{abi::FlowKey, packet::tcp::option};
use netlink_packet_sock_diag::{
    AF_INET, AF_INET6, IPPROTO_TCP, SockDiagDestroy, SockDiagMessage,
    inet::{ExtensionFlags, InetResponse, SocketId, StateFlags, nlas::Nla},
};
use nix::errno::Errno;
use rtnetlink::{
    packet_core::{NLM_F_ACK, NetlinkMessage, NetlinkPayload},
    sys::Socket,
};

use super::{dump, endpoints, list, open, request, send};
use crate::net::{
    address::{address, ip},
    namespace,
};

/// A connection's ends: this host's, and the client's.
pub type Ends = (SocketAddr, SocketAddr);

/// What the mirror's tables say of memcached's connections.
#[derive(Debug, Default)]
pub struct Known {
    /// Mirrored connections that are to end.
    pub mirrored: HashSet<Ends>,
    /// Connections that go on, direct clients' and mirrored ones; `None` where that cannot be told.
    pub kept: Option<HashSet<Ends>>,
}

/// A socket of memcached's, and whose client it has.
#[derive(Debug)]
pub struct Connection {
    family: u8,
    id: SocketId,
    /// Its ends.
    pub ends: Ends,
    /// Whether its client is the synthetic one, by what that one's SYN had (`is_synthetic`).
    synthetic: bool,
}

impl Connection {
    /// What the mirror's tables would know it by.
    pub fn key(&self) -> FlowKey {
        let (own, client) = self.ends;
        FlowKey {
            client_addr: address(client.ip()),
            local_addr: address(own.ip()),
            client_port: client.port().to_be(),
            local_port: own.port().to_be(),
            protocol: IPPROTO_TCP,
            pad: 0,
            request: 0,
        }
    }
}

/// The ends of a flow's connection.
pub fn ends_of(flow: &FlowKey) -> Ends {
    (
        SocketAddr::new(ip(&flow.local_addr), u16::from_be(flow.local_port)),
        SocketAddr::new(ip(&flow.client_addr), u16::from_be(flow.client_port)),
    )
}

/// Sockets of this network namespace at `ports` that have the synthetic client, known or not.
///
/// # Errors
///
/// Where the kernel does not list them.
pub fn synthetic(ports: &[u16]) -> Result<Vec<Connection>> {
    let mut found = connections(&open()?)?;
    found.retain(|one| one.synthetic && ports.contains(&one.ends.0.port()));
    Ok(found)
}

/// Ends these sockets of this network namespace; returns how many were still there.
///
/// # Errors
///
/// On a kernel that cannot do it.
pub fn end(connections: Vec<Connection>) -> Result<usize> {
    end_by(&open()?, connections)
}

/// Ends the sockets of mirrored connections; returns how many there were. In this network namespace, those with the
/// ends that the mirror knows. Beyond an address translation a socket has other ends of its own, in a namespace of its
/// own mostly, but the same client: it is ended if it has the synthetic client, too.
///
/// # Errors
///
/// On a kernel that cannot do it (before 4.5, or without `CONFIG_INET_DIAG_DESTROY`).
pub fn end_mirrored(known: &Known) -> Result<usize> {
    if known.mirrored.is_empty() {
        return Ok(0);
    }
    let clients: HashSet<SocketAddr> = known.mirrored.iter().map(|(_, client)| *client).collect();
    let is_translated = |one: &Connection| one.synthetic && clients.contains(&one.ends.1);
    let is_here = |one: &Connection| {
        known.mirrored.contains(&one.ends)
            || is_translated(one)
                && known.kept.as_ref().is_some_and(|kept| !kept.contains(&one.ends))
    };
    let mut ended = end_where(is_here)?;
    for (namespace, result) in namespace::in_each_other(|| end_where(is_translated))? {
        match result {
            Ok(count) => ended += count,
            Err(error) => log::warn!(
                "network namespace {namespace}: could not look for sockets of mirrored connections \
                 ({error:#}); where memcached is in it, restart this memcached"
            ),
        }
    }
    Ok(ended)
}

fn end_where(chosen: impl Fn(&Connection) -> bool) -> Result<usize> {
    let socket = open()?;
    let found = connections(&socket)?.into_iter().filter(chosen).collect();
    end_by(&socket, found)
}

fn end_by(socket: &Socket, connections: Vec<Connection>) -> Result<usize> {
    let mut ended = 0;
    for connection in connections {
        ended += usize::from(end_one(socket, connection.family, connection.id)?);
    }
    Ok(ended)
}

/// All TCP sockets of this thread's network namespace that are not listeners.
fn connections(socket: &Socket) -> Result<Vec<Connection>> {
    let mut found = Vec::new();
    for family in [AF_INET, AF_INET6] {
        let states = StateFlags::all() - StateFlags::LISTEN;
        for response in dump(socket, family, states, ExtensionFlags::INFO, 0)? {
            let synthetic = has_synthetic_client(&response);
            let id = response.header.socket_id;
            found.push(Connection { family, ends: endpoints(&id), id, synthetic });
        }
    }
    Ok(found)
}

fn has_synthetic_client(response: &InetResponse) -> bool {
    response.nlas.iter().any(|attribute| match attribute {
        Nla::TcpInfo(bytes) => is_synthetic(bytes),
        _ => false,
    })
}

/// Whether a `tcp_info` (kernel: `include/uapi/linux/tcp.h`) is of a connection with the synthetic client: a window scale
/// of [`option::SYNTHETIC_SCALE`], neither timestamps nor SACK. A client's own stack offers that scale only with a receive
/// buffer of 512 MB or more.
fn is_synthetic(info: &[u8]) -> bool {
    const OPTIONS: usize = 5;
    const SCALES: usize = 6;
    const TIMESTAMPS: u8 = 1;
    const SACK: u8 = 2;
    const SCALED: u8 = 4;
    let (Some(options), Some(scales)) = (info.get(OPTIONS), info.get(SCALES)) else {
        return false;
    };
    // Two fields of four bits, the sender's first.
    let scale = if cfg!(target_endian = "little") { scales & 0xf } else { scales >> 4 };
    options & (TIMESTAMPS | SACK | SCALED) == SCALED && scale == option::SYNTHETIC_SCALE
}

/// Refuses where this kernel cannot end sockets, by trying it on one that cannot exist.
///
/// # Errors
///
/// Where it cannot, with what to do.
pub fn check() -> Result<()> {
    let socket = open()?;
    // Without the modules, both say that there is none. This tells them apart.
    list(&socket, AF_INET, 1).context(
        "this kernel does not list TCP sockets, so that `detach` could not end mirrored connections: \
         load the module tcp_diag, or run a kernel with CONFIG_INET_TCP_DIAG",
    )?;
    // No socket has port 0, and none this cookie.
    let id = SocketId { cookie: [0; 8], ..SocketId::new_v4() };
    judge(try_to_end(&socket, AF_INET, id)?)
}

fn judge(answer: Option<Errno>) -> Result<()> {
    match answer {
        None | Some(Errno::ENOENT | Errno::ESTALE) => Ok(()),
        Some(Errno::EOPNOTSUPP) => bail!(
            "this kernel cannot end sockets, so that `detach` could not end mirrored connections: run \
             one with CONFIG_INET_DIAG_DESTROY (Linux 4.5)"
        ),
        Some(other) => bail!(
            "this kernel does not let the agent end sockets ({}), so that `detach` could not end \
             mirrored connections: run it as root",
            other.desc()
        ),
    }
}

/// Whether the socket was still there.
fn end_one(socket: &Socket, family: u8, socket_id: SocketId) -> Result<bool> {
    match try_to_end(socket, family, socket_id)? {
        None => Ok(true),
        // Gone by itself, or something else has its 4-tuple now.
        Some(Errno::ENOENT | Errno::ESTALE) => Ok(false),
        Some(other) => bail!(
            "the kernel did not end a mirrored connection: {} (this takes Linux 4.5 with \
             CONFIG_INET_DIAG_DESTROY)",
            other.desc()
        ),
    }
}

/// What the kernel says to it, if it does not do it.
fn try_to_end(socket: &Socket, family: u8, socket_id: SocketId) -> Result<Option<Errno>> {
    let protocol = (family, IPPROTO_TCP);
    let request = request(protocol, StateFlags::all(), ExtensionFlags::empty(), socket_id);
    send(socket, NetlinkMessage::from(SockDiagDestroy::new(request)), NLM_F_ACK)?;
    let (answer, _) = socket.recv_from_full().context("sock_diag did not answer")?;
    let answer = NetlinkMessage::<SockDiagMessage>::deserialize(&answer).context("sock_diag")?;
    let NetlinkPayload::Error(error) = answer.payload else {
        bail!("sock_diag answered with something else than a verdict");
    };
    Ok(error.code.map(|code| Errno::from_raw(-code.get())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_synthetic_client_is_taken_for_it() {
        let info = |options: u8, scales: u8| {
            let scales =
                if cfg!(target_endian = "little") { scales } else { scales.rotate_left(4) };
            is_synthetic(&[1, 0, 0, 0, 0, options, scales, 0])
        };
        assert!(info(4, 0x7e) && info(4 | 8, 0xe));
        for (options, scales) in [(5, 0x7e), (6, 0x7e), (7, 0x7e), (0, 0), (4, 0x7d), (4, 0xe7)] {
            assert!(!info(options, scales), "{options} {scales:x}");
        }
        assert!(!is_synthetic(&[1, 0, 0, 0, 0, 4]));
    }

    #[test]
    fn kernels_that_cannot_end_sockets_are_told_by_their_answer() {
        assert!(judge(Some(Errno::ENOENT)).is_ok());
        let said = judge(Some(Errno::EOPNOTSUPP)).unwrap_err().to_string();
        assert!(said.contains("CONFIG_INET_DIAG_DESTROY"), "{said}");
        assert!(judge(Some(Errno::EPERM)).unwrap_err().to_string().contains("root"));
    }
}
