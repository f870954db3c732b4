//! Ends memcached's sockets of mirrored connections, by the kernel's socket diagnosis (`sock_diag`).
//!
//! Without the programs nobody plays these sockets' client: sooner or later they would send something
//! to the real one. So they go while the programs at egress still swallow their resets.

use anyhow::{Context as _, Result, bail};
use mirror_common::abi::FlowKey;
use netlink_packet_sock_diag::{
    AF_INET, AF_INET6, IPPROTO_TCP, SockDiagDestroy, SockDiagMessage,
    inet::{ExtensionFlags, InetRequest, SocketId, StateFlags},
};
use nix::errno::Errno;
use rtnetlink::{
    packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload},
    sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG},
};

use crate::mapping::ip;

/// Any socket of the 4-tuple (kernel: `INET_DIAG_NOCOOKIE`).
const NO_COOKIE: [u8; 8] = [0xff; 8];

/// Ends the sockets of these flows, in this network namespace; returns how many there were. Fails on
/// a kernel that cannot do it (before 4.5, or without `CONFIG_INET_DIAG_DESTROY`).
pub fn destroy(flows: &[FlowKey]) -> Result<usize> {
    let socket = Socket::new(NETLINK_SOCK_DIAG).context("cannot open a sock_diag socket")?;
    socket.connect(&SocketAddr::new(0, 0)).context("cannot reach the kernel's sock_diag")?;
    let mut ended = 0;
    for flow in flows {
        match destroy_one(&socket, flow)? {
            0 => ended += 1,
            code if Errno::from_raw(code) == Errno::ENOENT => {}
            code => bail!(
                "the kernel did not end a mirrored connection: {} (this takes Linux 4.5 with \
                 CONFIG_INET_DIAG_DESTROY)",
                Errno::from_raw(code).desc()
            ),
        }
    }
    Ok(ended)
}

/// Returns the kernel's error number, 0 for success.
fn destroy_one(socket: &Socket, flow: &FlowKey) -> Result<i32> {
    let (local, client) = (ip(&flow.local_addr), ip(&flow.client_addr));
    let request = SockDiagMessage::InetRequest(InetRequest {
        family: if local.is_ipv4() { AF_INET } else { AF_INET6 },
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
        states: StateFlags::all(),
        socket_id: SocketId {
            source_port: u16::from_be(flow.local_port),
            destination_port: u16::from_be(flow.client_port),
            source_address: local,
            destination_address: client,
            interface_id: 0,
            cookie: NO_COOKIE,
        },
    });
    let mut message = NetlinkMessage::from(SockDiagDestroy::new(request));
    message.header.flags = NLM_F_REQUEST | NLM_F_ACK;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0).context("cannot ask sock_diag")?;

    let (answer, _) = socket.recv_from_full().context("sock_diag did not answer")?;
    match NetlinkMessage::<SockDiagMessage>::deserialize(&answer).context("sock_diag")?.payload {
        NetlinkPayload::Error(error) => Ok(error.code.map_or(0, |code| -code.get())),
        _ => bail!("sock_diag answered with something else than a verdict"),
    }
}
