//! Sockets whose packets tell that the agent asks, so that sources do not copy them (`mirror_common::packet::inspection`).

use std::{
    hash::{BuildHasher as _, RandomState},
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use mirror_common::packet::inspection::{DSCP, FIRST_PORT, PORTS};
use tokio::{
    net::{TcpSocket, TcpStream, lookup_host},
    time::timeout,
};

use crate::memcached::endpoint::Endpoint;

/// The last two bits of what was the type of service are ECN's (RFC 3168, 5).
const TRAFFIC_CLASS: u32 = (DSCP as u32) << 2;

/// Connects to the first address of `server` that answers within `patience`.
///
/// # Errors
///
/// That of the last address, where none does.
pub(super) async fn connect(server: &Endpoint, patience: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host((server.host.as_str(), server.port)).await? {
        // IPv4 in the clothes of IPv6 has the header of IPv4.
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        match timeout(patience, connect_to(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => {
                last =
                    io::Error::new(io::ErrorKind::TimedOut, format!("no answer for {patience:?}"))
            }
        }
    }
    Err(last)
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    // Others may ask the same server at this moment, or have asked it just now.
    let start = RandomState::new().hash_one(()) as u16 % PORTS;
    for port in (0..PORTS).map(|step| FIRST_PORT + (start + step) % PORTS) {
        let connected = match socket(address, Some(port)) {
            Ok(socket) => socket.connect(address).await,
            Err(error) => Err(error),
        };
        match connected {
            Err(error) if is_taken(&error) => {}
            connected => return connected,
        }
    }
    let connected = socket(address, None)?.connect(address).await;
    if connected.is_ok() {
        log::warn!(
            "all ports from {FIRST_PORT} to {} are in use towards {address}: a mirror on its host copies what is asked",
            FIRST_PORT + PORTS - 1
        );
    }
    connected
}

/// A socket from this port, so marked, or one like any other.
fn socket(address: SocketAddr, port: Option<u16>) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    let Some(port) = port else { return Ok(socket) };
    // The port may be in use towards other servers.
    socket.set_reuseaddr(true)?;
    match address {
        SocketAddr::V4(_) => {
            socket.set_tos_v4(TRAFFIC_CLASS)?;
            socket.bind((Ipv4Addr::UNSPECIFIED, port).into())?;
        }
        SocketAddr::V6(_) => {
            socket.set_tclass_v6(TRAFFIC_CLASS)?;
            socket.bind((Ipv6Addr::UNSPECIFIED, port).into())?;
        }
    }
    Ok(socket)
}

/// Whether somebody has the port, at all or towards this server.
fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable)
}
