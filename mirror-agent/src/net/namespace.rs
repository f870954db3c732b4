//! Network namespaces: which one this process is in, and the way into another.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use nix::{
    getsockopt_impl, libc,
    sched::{CloneFlags, setns},
    sockopt_impl,
    sys::socket::{AddressFamily, SockFlag, SockType, getsockopt, socket},
};

use super::process;

sockopt_impl!(
    /// `SO_NETNS_COOKIE` (Linux 5.14): what tells a namespace from all that were and will be, until the host restarts.
    Cookie,
    GetOnly,
    libc::SOL_SOCKET,
    SO_NETNS_COOKIE,
    u64
);

/// `include/uapi/asm-generic/socket.h`.
const SO_NETNS_COOKIE: libc::c_int = 71;
/// Where `ip netns` keeps namespaces by their names.
const NAMED: &str = "/run/netns";

/// A network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// The kernel's cookie.
    pub cookie: u64,
    /// Its inode, which another may get when it is gone.
    pub inode: u64,
}

impl Namespace {
    /// The one that this thread is in.
    ///
    /// # Errors
    ///
    /// Where the kernel does not say.
    pub fn current() -> Result<Self> {
        let failed = || "cannot tell which network namespace this is";
        let kind = SockType::Datagram;
        let any =
            socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC, None).with_context(failed)?;
        let inode = fs::metadata("/proc/thread-self/ns/net").with_context(failed)?.ino();
        Ok(Self { cookie: getsockopt(&any, Cookie).with_context(failed)?, inode })
    }

    /// A file by which it can be entered: its name's where it has one, or else that of a process in it. `None` where no
    /// process that this one sees is there.
    pub fn way_in(&self) -> Option<PathBuf> {
        let named = entries(Path::new(NAMED));
        named
            .into_iter()
            .chain(process::all().map(|(_, directory)| directory.join("ns/net")))
            .find(|path| fs::metadata(path).is_ok_and(|about| about.ino() == self.inode))
    }

    /// What a verb's command line has to begin with, to be run there.
    pub fn prefix(&self) -> Option<String> {
        self.way_in().map(|path| format!("nsenter --net={}", path.display()))
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "network namespace {}", self.inode)
    }
}

/// Does `work` in each other network namespace that a process is in which this one sees; by the namespace's inode. Each
/// time on a thread of its own, which ends there: this process's own threads stay where they are.
///
/// # Errors
///
/// Where it cannot be told which namespace this is.
pub fn in_each_other<T: Send>(
    work: impl Fn() -> Result<T> + Sync,
) -> Result<BTreeMap<u64, Result<T>>> {
    let here = Namespace::current()?.inode;
    let mut found: BTreeMap<u64, Result<T>> = BTreeMap::new();
    for (_, directory) in process::all() {
        let path = directory.join("ns/net");
        // Gone meanwhile; what is left of it has no sockets.
        let Ok(inode) = fs::metadata(&path).map(|about| about.ino()) else { continue };
        if inode == here || found.contains_key(&inode) {
            continue;
        }
        let Ok(namespace) = File::open(&path) else { continue };
        if !namespace.metadata().is_ok_and(|about| about.ino() == inode) {
            continue;
        }
        found.insert(inode, on_a_thread_in(namespace, &work));
    }
    Ok(found)
}

fn on_a_thread_in<T: Send>(namespace: File, work: impl Fn() -> Result<T> + Sync) -> Result<T> {
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            setns(namespace, CloneFlags::CLONE_NEWNET)
                .context("cannot enter it (this takes CAP_SYS_ADMIN)")?;
            work()
        });
        inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(directory).into_iter().flatten().flatten();
    found.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_not_this_one() {
        let here = Namespace::current().unwrap();
        // Without root's rights none can be entered, and each says so.
        let others = in_each_other(Namespace::current).unwrap();
        for (inode, inside) in others {
            assert_ne!(inode, here.inode);
            assert!(inside.is_err() || inside.is_ok_and(|inside| inside.inode == inode));
        }
        assert_eq!(Namespace::current().unwrap(), here, "this thread stays");
    }

    #[test]
    fn this_one_can_be_entered() {
        let here = Namespace::current().unwrap();
        assert_eq!(here, Namespace::current().unwrap());
        assert_ne!(here.cookie, 0);
        let way = here.way_in().expect("this process is in it");
        assert_eq!(fs::metadata(way).unwrap().ino(), here.inode);
        assert_eq!(Namespace { cookie: 1, inode: 1 }.way_in(), None);
    }
}
