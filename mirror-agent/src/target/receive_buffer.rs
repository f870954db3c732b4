//! The receive buffer of memcached's listeners, larger for as long as a target serves their ports.
//!
//! A connection begins with its listener's receive buffer, which by default has room for 64 KiB. Production's
//! window has paced the packets of a larger value already, so that their copies arrive at once: they would
//! overrun that room, and wait. The agent therefore takes a duplicate of each listening socket from memcached's
//! process (`pidfd_getfd`) and makes its buffer larger. It is a limit: memory is taken when data waits.
//!
//! `RECEIVE_BUFFERS` remembers by socket cookie what was there before. Nothing here keeps `drop` or `detach` from
//! their work: what is refused is a warning, and `status` looks at the sockets themselves.

use std::{
    collections::{BTreeMap, HashMap},
    fmt, fs, io,
    os::fd::{OwnedFd, RawFd},
    path::Path,
};

use anyhow::{Context as _, Result, bail, ensure};
use aya::maps::{HashMap as Table, MapData, MapError};
use mirror_common::abi::{ReceiveBuffer, served};
use nix::{
    getsockopt_impl, libc, setsockopt_impl, sockopt_impl,
    sys::socket::{
        getsockopt, setsockopt,
        sockopt::{RcvBuf, RcvBufForce},
    },
};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::{
    kernel::{identity, maps, meta, pins::Attachment},
    net::{
        process::{self, socket_number},
        sock_diag::{self, Listener},
    },
};

/// What a listener is given, in bytes as the kernel counts them: twice what it is told (socket(7)).
pub const WANTED: u32 = 8 << 20;

/// The kernel's table.
const TABLE: &str = "RECEIVE_BUFFERS";

sockopt_impl!(
    /// `SO_COOKIE`: what tells a socket from all others.
    Cookie,
    GetOnly,
    libc::SOL_SOCKET,
    libc::SO_COOKIE,
    u64
);

sockopt_impl!(
    /// `SO_BUF_LOCK` (Linux 5.14): which buffers have a size that the kernel must not change.
    BufLock,
    Both,
    libc::SOL_SOCKET,
    SO_BUF_LOCK,
    u32
);

/// `include/uapi/asm-generic/socket.h`.
const SO_BUF_LOCK: libc::c_int = 72;
/// `include/uapi/linux/socket.h`.
const SOCK_RCVBUF_LOCK: u32 = 2;

/// Gives each listener of `ports` a receive buffer of `wanted` bytes, unless its own is as large. All others get
/// back what they had; where `wanted` is 0, all do.
pub fn set(attachment: &Attachment, ports: &[u16], wanted: u32) {
    let ports = if wanted == 0 { &[] } else { ports };
    if let Err(error) = change(attachment, ports, wanted) {
        log::warn!(
            "{}: memcached's receive buffer stays as it is ({error:#}); if it is not as large as it \
             should be, large values wait on new connections",
            attachment.interface
        );
    }
}

fn change(attachment: &Attachment, ports: &[u16], wanted: u32) -> Result<()> {
    let Some(mut table) = Remembered::open(attachment)? else { return Ok(()) };
    let listeners = sock_diag::listeners()?;
    let known = table.all()?;
    // Sockets that are gone; the kernel gives no cookie twice.
    for cookie in known.keys().filter(|known| !listeners.iter().any(|it| it.cookie == **known)) {
        table.forget(*cookie)?;
    }
    let (larger, back): (Vec<&Listener>, Vec<&Listener>) =
        listeners.iter().partition(|listener| ports.contains(&listener.port));
    let larger: Vec<_> = larger.into_iter().filter(|it| it.receive_buffer < wanted).collect();
    let back: Vec<_> = back
        .into_iter()
        .filter_map(|listener| Some((listener, *known.get(&listener.cookie)?)))
        .collect();

    let changed = larger.iter().copied().chain(back.iter().map(|(listener, _)| *listener));
    let files = Files::of(changed);
    let mut refused = BTreeMap::new();
    for listener in larger {
        let fresh = !known.contains_key(&listener.cookie);
        if let Err(error) = enlarge(&files, listener, wanted, fresh.then_some(&mut table)) {
            refused.entry(listener.port).or_insert(error);
        }
    }
    for (port, error) in refused {
        log::warn!(
            "port {port}: memcached's receive buffer stays as it is ({error:#}): large values wait on \
             new connections; run `drop` again when that is mended, or with --no-receive-buffer"
        );
    }
    for (listener, before) in back {
        // Where that fails, the other's `status` says what it lacks.
        if hand_over(attachment, listener, before).unwrap_or(false) {
            table.forget(listener.cookie)?;
        } else if let Err(error) = give_back(&files, listener, before) {
            log::warn!(
                "port {}: memcached's receive buffer stays at {} until memcached is restarted \
                 ({error:#})",
                listener.port,
                size(listener.receive_buffer)
            );
        } else {
            table.forget(listener.cookie)?;
        }
    }
    Ok(())
}

/// Remembers first: an agent that is killed in between leaves nothing that cannot be undone.
fn enlarge(
    files: &Files,
    listener: &Listener,
    wanted: u32,
    remember: Option<&mut Remembered>,
) -> Result<()> {
    let socket = files.duplicate(listener)?;
    if let Some(table) = remember {
        let bytes = getsockopt(&socket, RcvBuf).context("SO_RCVBUF")?;
        let locks = getsockopt(&socket, BufLock).context("SO_BUF_LOCK")?;
        let before = ReceiveBuffer {
            bytes: u32::try_from(bytes)?,
            locked: u32::from(locks & SOCK_RCVBUF_LOCK != 0),
        };
        table.remember(listener.cookie, before)?;
    }
    force(&socket, wanted)?;
    log::info!("port {}: gave memcached a receive buffer of {}", listener.port, size(wanted));
    Ok(())
}

fn give_back(files: &Files, listener: &Listener, before: ReceiveBuffer) -> Result<()> {
    let socket = files.duplicate(listener)?;
    force(&socket, before.bytes)?;
    if before.locked == 0 {
        let locks = getsockopt(&socket, BufLock).context("SO_BUF_LOCK")?;
        setsockopt(&socket, BufLock, &(locks & !SOCK_RCVBUF_LOCK)).context("SO_BUF_LOCK")?;
    }
    Ok(())
}

/// `SO_RCVBUFFORCE` doubles what it is given, for what the kernel needs beside the data.
fn force(socket: &OwnedFd, bytes: u32) -> Result<()> {
    let half = usize::try_from(bytes.div_ceil(2))?;
    setsockopt(socket, RcvBufForce, &half).context("SO_RCVBUFFORCE")
}

/// Whether another target serves the same listener, and remembers from now on what it had.
fn hand_over(attachment: &Attachment, listener: &Listener, before: ReceiveBuffer) -> Result<bool> {
    for other in identity::others(attachment)? {
        if meta::read(&other).is_ok_and(|meta| meta.receive_buffer != 0) {
            let ports = maps::served_ports(&other)?;
            if maps::get(&ports, u32::from(listener.port))? == served::YES {
                let Some(mut table) = Remembered::open(&other)? else { continue };
                table.remember(listener.cookie, before)?;
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// What listeners had before.
struct Remembered(Table<MapData, u64, ReceiveBuffer>);

impl Remembered {
    fn open(attachment: &Attachment) -> Result<Option<Self>> {
        Ok(maps::receive_buffers(attachment)?.map(Self))
    }

    fn all(&self) -> Result<HashMap<u64, ReceiveBuffer>> {
        self.0
            .iter()
            .collect::<Result<_, MapError>>()
            .with_context(|| format!("cannot read {TABLE}"))
    }

    fn remember(&mut self, cookie: u64, before: ReceiveBuffer) -> Result<()> {
        self.0
            .insert(cookie, before, 0)
            .with_context(|| format!("cannot write {TABLE}: too many listeners?"))
    }

    fn forget(&mut self, cookie: u64) -> Result<()> {
        self.0.remove(&cookie).with_context(|| format!("cannot write {TABLE}"))
    }
}

/// Where sockets are: by inode, a process and the number of the file there.
struct Files {
    found: HashMap<u32, (Pid, RawFd)>,
    /// Whether a process did not show its files.
    hidden: bool,
}

impl Files {
    /// Looks for the files of `listeners`, of which there may be none, in all processes.
    fn of<'a>(listeners: impl Iterator<Item = &'a Listener>) -> Self {
        let wanted: Vec<u32> = listeners.map(|listener| listener.inode).collect();
        let mut files = Self { found: HashMap::new(), hidden: false };
        if wanted.is_empty() {
            return files;
        }
        for (number, directory) in process::all() {
            if let Some(pid) = Pid::from_raw(number)
                && let Err(error) = files.look_at(pid, &directory.join("fd"), &wanted)
            {
                files.hidden |= error.kind() == io::ErrorKind::PermissionDenied;
            }
        }
        files
    }

    fn look_at(&mut self, pid: Pid, directory: &Path, wanted: &[u32]) -> io::Result<()> {
        for file in fs::read_dir(directory)? {
            let file = file?;
            let target = match fs::read_link(file.path()) {
                // Closed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                target => target?,
            };
            let inode = socket_number(&target).filter(|inode| wanted.contains(inode));
            let number = file.file_name().to_str().and_then(|name| name.parse().ok());
            if let (Some(inode), Some(number)) = (inode, number) {
                self.found.entry(inode).or_insert((pid, number));
            }
        }
        Ok(())
    }

    /// A file of ours for the same socket.
    fn duplicate(&self, listener: &Listener) -> Result<OwnedFd> {
        let Some((pid, number)) = self.found.get(&listener.inode) else {
            if self.hidden {
                bail!("this agent may not look at the files of all processes: CAP_SYS_PTRACE");
            }
            bail!("its process cannot be seen from this PID namespace");
        };
        let process = pidfd_open(*pid, PidfdFlags::empty())
            .with_context(|| format!("process {pid} ended"))?;
        let socket =
            pidfd_getfd(process, *number, PidfdGetfdFlags::empty()).with_context(|| {
                format!("process {pid} keeps its socket to itself, for want of CAP_SYS_PTRACE or by yama or seccomp")
            })?;
        // The process, or its file, may have become another meanwhile.
        ensure!(
            getsockopt(&socket, Cookie) == Ok(listener.cookie),
            "process {pid} closed its socket"
        );
        Ok(socket)
    }
}

/// A port whose listeners lack room for large values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// The port.
    pub port: u16,
    /// The smallest receive buffer of its listeners; `None` where there are none.
    pub bytes: Option<u32>,
    /// What it should be.
    pub wanted: u32,
}

/// Those of `ports` whose listeners have less than `wanted` right now, or that have none. Takes no rights.
pub fn shortages(ports: &[u16], wanted: u32) -> Vec<Shortage> {
    if wanted == 0 {
        return Vec::new();
    }
    match sock_diag::listeners() {
        Ok(listeners) => among(&listeners, ports, wanted),
        Err(error) => {
            log::warn!("cannot tell how large memcached's receive buffer is ({error:#})");
            Vec::new()
        }
    }
}

fn among(listeners: &[Listener], ports: &[u16], wanted: u32) -> Vec<Shortage> {
    let smallest = |port| {
        let of_port = listeners.iter().filter(|listener| listener.port == port);
        of_port.map(|listener| listener.receive_buffer).min()
    };
    ports
        .iter()
        .map(|port| Shortage { port: *port, bytes: smallest(*port), wanted })
        .filter(|shortage| shortage.bytes.is_none_or(|bytes| bytes < wanted))
        .collect()
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { port, bytes, wanted } = self;
        match bytes {
            None => write!(
                f,
                "port {port}: nothing listens to TCP; run `drop` again when memcached does, or large \
                 values wait on new connections"
            ),
            Some(bytes) => write!(
                f,
                "port {port}: memcached's receive buffer is {}, not {}, so that large values wait on \
                 new connections; run `drop` again, with CAP_SYS_PTRACE",
                size(*bytes),
                size(*wanted)
            ),
        }
    }
}

fn size(bytes: u32) -> String {
    match (bytes % (1 << 20), bytes % (1 << 10)) {
        (0, _) => format!("{} MiB", bytes >> 20),
        (_, 0) => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_listener_of_a_port_counts() {
        let listener =
            |port, receive_buffer| Listener { port, cookie: 1, inode: 1, receive_buffer };
        let listeners = [listener(1, 100), listener(1, 50), listener(2, 100), listener(3, 7)];
        assert_eq!(
            among(&listeners, &[1, 2, 4], 100),
            [
                Shortage { port: 1, bytes: Some(50), wanted: 100 },
                Shortage { port: 4, bytes: None, wanted: 100 },
            ]
        );
    }

    #[test]
    fn sizes() {
        assert_eq!(size(8 << 20), "8 MiB");
        assert_eq!(size(131_072), "128 KiB");
        assert_eq!(size(1001), "1001 bytes");
    }
}
