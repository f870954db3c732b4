//! Unix sockets that take connections, and how many they have taken.

use std::collections::BTreeMap;

use anyhow::Result;
use netlink_packet_sock_diag::{
    SockDiagMessage,
    unix::{ShowFlags, StateFlags, UnixRequest, UnixResponse, nlas::UnixDiagName},
};
use rtnetlink::packet_core::{NLM_F_DUMP, NetlinkMessage};

use super::{Answer, open, receive, send};

/// What listening sockets are called, by their numbers in the file system of sockets.
///
/// # Errors
///
/// Where the kernel does not list them, as without `CONFIG_UNIX_DIAG`.
pub fn listeners() -> Result<BTreeMap<u32, String>> {
    let named = |one: &UnixResponse| Some((one.header.inode, name(one)?));
    Ok(list(StateFlags::LISTEN)?.iter().filter_map(named).collect())
}

/// How many connections the listening socket of this name has taken, which are called like it.
///
/// # Errors
///
/// As [`listeners`].
pub fn taken(listener: &str) -> Result<usize> {
    let all = list(StateFlags::ESTABLISHED)?;
    Ok(all.iter().filter(|one| name(one).as_deref() == Some(listener)).count())
}

fn list(states: StateFlags) -> Result<Vec<UnixResponse>> {
    let socket = open()?;
    let request = UnixRequest {
        state_flags: states,
        inode: 0,
        show_flags: ShowFlags::NAME,
        // Any.
        cookie: [0xff; 8],
    };
    send(&socket, NetlinkMessage::from(SockDiagMessage::UnixRequest(request)), NLM_F_DUMP)?;
    receive(&socket)
}

impl Answer for UnixResponse {
    fn of(message: SockDiagMessage) -> Option<Self> {
        match message {
            SockDiagMessage::UnixResponse(response) => Some(*response),
            _ => None,
        }
    }
}

/// A path, or `@` and what an abstract name is.
fn name(socket: &UnixResponse) -> Option<String> {
    Some(match socket.name()? {
        UnixDiagName::Pathname(path) => path.to_string_lossy().into_owned(),
        UnixDiagName::Abstract(name) => format!("@{}", String::from_utf8_lossy(name)),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn a_listener_and_its_connections_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let _clients: Vec<UnixStream> =
            (0..3).map(|_| UnixStream::connect(&path).unwrap()).collect();
        let _taken: Vec<_> = (0..3).map(|_| listener.accept().unwrap()).collect();
        let path = path.to_string_lossy().into_owned();
        match listeners() {
            Ok(all) => assert!(all.values().any(|name| *name == path), "{all:?}"),
            // Some sandboxes have no sock_diag, and some kernels no CONFIG_UNIX_DIAG.
            Err(error) => return println!("not tried: {error:#}"),
        }
        assert_eq!(taken(&path).unwrap(), 3);
    }
}
