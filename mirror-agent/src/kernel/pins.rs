//! Where programs and maps live on the BPF file system, and the lock that keeps two agents apart.
//!
//! `<bpffs>/mirror-agent/<interface>/<role>/` holds one file for each map, by the map's name, and
//! one for each link, `link_ingress`, `link_copies` and so on (before Linux 6.6: see `clsact.rs`). A
//! directory exists if and only if something is attached.
//!
//! The kernel refuses names with a dot on a BPF file system, and interfaces of VLANs have one (`eth0.100`). A colon
//! stands for it, which no interface's name has. `<interface>` is what it was called when something was attached, and where
//! another that was called so before has that directory, its index follows after a space (`eth0 7`).

use std::{
    fs,
    fs::File,
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use nix::fcntl::{Flock, FlockArg};

pub use crate::kernel::role::Role;
use crate::kernel::{bpf_fs, failure::Failure, link};

/// The map of what is remembered of an attachment.
pub(super) const META: &str = "META";
/// How the names of links' pins begin.
pub(crate) const LINK: &str = "link_";
/// How the names of the pins of `clsact.rs` begin.
pub(crate) const FILTER: &str = "filter_";

/// A directory beside those of interfaces: the agent mounted this BPF file system. Longer than an interface's name.
const MOUNTED: &str = "mounted-by-mirror-agent";

/// The agent's directory on one BPF file system.
#[derive(Debug)]
pub struct Store {
    bpffs: PathBuf,
    root: PathBuf,
}

impl Store {
    /// The store on the BPF file system at `bpffs`. Where none is mounted there, nothing is attached; nothing is
    /// mounted or made by this.
    ///
    /// # Errors
    ///
    /// Where there is no such directory.
    pub fn open(bpffs: &Path) -> Result<Self> {
        bpf_fs::is_mounted(bpffs)?;
        Ok(Self { bpffs: bpffs.to_owned(), root: bpffs.join("mirror-agent") })
    }

    /// Refuses where there is no BPF file system, so that nothing can be attached.
    ///
    /// # Errors
    ///
    /// As [`Failure::NoBpfFileSystem`].
    pub fn check_mounted(&self) -> Result<()> {
        if !bpf_fs::is_mounted(&self.bpffs)? {
            bail!(Failure::NoBpfFileSystem(self.bpffs.clone()));
        }
        Ok(())
    }

    /// Keeps other agents out until the lock is dropped.
    ///
    /// What is locked is the root of the BPF file system: it is there as long as anything in it, while the agent's own
    /// directory comes and goes.
    ///
    /// # Errors
    ///
    /// Where another agent is at work, or where there is no BPF file system.
    pub fn lock(&self) -> Result<Lock> {
        let directory = File::open(&self.bpffs)
            .with_context(|| format!("cannot open {}", self.bpffs.display()))?;
        // Not before: opened, it stays mounted.
        self.check_mounted()?;
        match Flock::lock(directory, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => {
                bpf_fs::check_same(&lock, &self.bpffs)?;
                make_directory(&self.root)?;
                let (bpffs, root) = (self.bpffs.clone(), self.root.clone());
                Ok(Lock { directory: Some(lock), bpffs, root })
            }
            Err((_, nix::Error::EWOULDBLOCK)) => bail!(
                "another mirror-agent is changing {} right now; try again when it is done",
                self.root.display()
            ),
            Err((_, error)) => {
                Err(error).with_context(|| format!("cannot lock {}", self.root.display()))
            }
        }
    }

    /// The same for a verb that attaches: where there is no BPF file system, one is mounted, which goes again with
    /// the last attachment.
    ///
    /// # Errors
    ///
    /// As [`Self::lock`], and where mounting one would hide something.
    pub fn lock_to_attach(&self) -> Result<Lock> {
        let fresh = !bpf_fs::is_mounted(&self.bpffs)?;
        if fresh {
            bpf_fs::mount(&self.bpffs)?;
        }
        let lock = self.lock()?;
        if fresh && bpf_fs::is_ours_to_unmount(&self.bpffs) {
            make_directory(&self.root.join(MOUNTED))?;
        }
        bpf_fs::warn_if_private(&self.bpffs);
        Ok(lock)
    }

    /// The pins of `role` at `interface`, whether they exist or not.
    pub fn attachment(&self, interface: &str, role: Role) -> Attachment {
        self.in_directory(&to_file_name(interface), role)
    }

    /// The same where another interface, which was called so before, has that place.
    pub fn attachment_beside(&self, interface: &str, ifindex: u32, role: Role) -> Attachment {
        self.in_directory(&format!("{} {ifindex}", to_file_name(interface)), role)
    }

    fn in_directory(&self, name: &str, role: Role) -> Attachment {
        let interface = from_file_name(name);
        Attachment {
            attached_as: interface.clone(),
            interface,
            role,
            directory: self.root.join(name).join(role.name()),
        }
    }

    /// All that is attached, by interface and role, with the names that interfaces had then.
    pub fn attachments(&self) -> Result<Vec<Attachment>> {
        if !bpf_fs::is_mounted(&self.bpffs)? {
            return Ok(Vec::new());
        }
        let mut found: Vec<Attachment> = names(&self.root)?
            .iter()
            .filter(|name| *name != MOUNTED)
            .flat_map(|name| Role::ALL.map(|role| self.in_directory(name, role)))
            .filter(Attachment::exists)
            .collect();
        found.sort_by(|a, b| (&a.interface, a.role).cmp(&(&b.interface, b.role)));
        Ok(found)
    }
}

/// Exclusive use of the store. Where nothing is attached at the end, the agent's directory goes, and the BPF file
/// system if the agent mounted it.
#[derive(Debug)]
pub struct Lock {
    directory: Option<Flock<File>>,
    bpffs: PathBuf,
    root: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mounted = names(&self.root).is_ok_and(|names| names == [MOUNTED]);
        if mounted {
            let _ = fs::remove_dir(self.root.join(MOUNTED));
        }
        // Fails, as it should, when something is attached.
        let gone = fs::remove_dir(&self.root).is_ok();
        // A file system with an open file cannot be unmounted.
        drop(self.directory.take());
        if mounted && gone {
            bpf_fs::unmount(&self.bpffs);
        }
    }
}

/// The pins of one role at one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// What the interface is called, as far as is known.
    pub interface: String,
    /// What it was called when something was attached.
    pub attached_as: String,
    /// Which programs.
    pub role: Role,
    directory: PathBuf,
}

impl Attachment {
    /// What another role has at the same interface.
    pub(super) fn of_role(&self, role: Role) -> Self {
        Self { role, directory: self.directory.with_file_name(role.name()), ..self.clone() }
    }

    /// Whether anything is pinned.
    pub fn exists(&self) -> bool {
        self.directory.is_dir()
    }

    /// The store that it is in.
    ///
    /// # Errors
    ///
    /// Where that is gone.
    pub(crate) fn store(&self) -> Result<Store> {
        let bpffs = self.directory.ancestors().nth(3).context("no BPF file system")?;
        Store::open(bpffs)
    }

    /// Where the pins are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Names of all pins.
    pub fn names(&self) -> Result<Vec<String>> {
        names(&self.directory)
    }

    /// Makes the directory.
    pub fn create(&self) -> Result<()> {
        make_directory(&self.directory)
    }

    /// Where a map is pinned.
    pub fn map(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Where a link is pinned.
    pub fn link(&self, hook: &str) -> PathBuf {
        self.directory.join(format!("{LINK}{hook}"))
    }

    /// Removes what is pinned of one hook, whose program is gone.
    pub fn remove_hook(&self, hook: &str) -> Result<()> {
        let filter = format!("{FILTER}{hook}__");
        for name in names(&self.directory)? {
            if name.strip_prefix(LINK) == Some(hook) || name.starts_with(&filter) {
                remove_file(&self.directory.join(&name))?;
            }
        }
        Ok(())
    }

    /// Removes the pins of BPF maps, so that others by their names can be made. What is attached goes on with those it
    /// has. META first: without it, whoever is killed here leaves what is known to be incomplete.
    pub fn remove_maps(&self) -> Result<()> {
        let mut maps = names(&self.directory)?;
        maps.retain(|name| !name.starts_with(LINK));
        maps.sort_by_key(|name| name != META);
        maps.iter().try_for_each(|name| remove_file(&self.directory.join(name)))
    }

    /// Ends all links and removes their pins, the one at ingress first.
    pub fn remove_links(&self) -> Result<()> {
        let mut links = names(&self.directory)?;
        links.retain(|name| name.starts_with(LINK));
        links.sort_by_key(|name| name.strip_prefix(LINK) != Some("ingress"));
        links.iter().try_for_each(|name| remove_link(&self.directory.join(name)))
    }

    /// Removes all pins, links first, and of these what takes packets in: the programs stop, then what they used goes.
    pub fn remove(&self) -> Result<()> {
        self.remove_links()?;
        self.remove_maps()?;
        remove_directory(&self.directory)?;
        // Fails, as it should, when another role is attached.
        if let Some(interface) = self.directory.parent() {
            let _ = fs::remove_dir(interface);
        }
        Ok(())
    }
}

/// What stands for an interface's name on the BPF file system.
fn to_file_name(interface: &str) -> String {
    interface.replace('.', ":")
}

fn from_file_name(name: &str) -> String {
    let name = name.split_once(' ').map_or(name, |(name, _ifindex)| name);
    name.replace(':', ".")
}

fn names(directory: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", directory.display()));
        }
    };
    entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()
        .with_context(|| format!("cannot read {}", directory.display()))
}

fn make_directory(path: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make {}", path.display()))
}

/// Takes a program off, and removes its link's pin.
fn remove_link(path: &Path) -> Result<()> {
    if let Err(error) = link::detach(path) {
        // Its interface is gone, most likely. The kernel takes the program off without this, too, if later.
        log::debug!("cannot end {}: {error}", path.display());
    }
    remove_file(path)
}

/// Removes one pin.
pub(crate) fn remove_file(path: &Path) -> Result<()> {
    fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))
}

fn remove_directory(path: &Path) -> Result<()> {
    match fs::remove_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Whether there is no file at `path`.
pub fn is_missing(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false))
        || matches!(path.metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_of_a_vlan_has_a_file_name() {
        assert_eq!(to_file_name("eth0.100"), "eth0:100");
        assert_eq!(from_file_name("eth0:100"), "eth0.100");
        assert_eq!(from_file_name(&to_file_name("bond0")), "bond0");
    }

    #[test]
    fn two_that_were_called_the_same_have_places_of_their_own() {
        let store = Store { bpffs: "/fs".into(), root: "/fs/mirror-agent".into() };
        let first = store.attachment("eth0.5", Role::Source);
        let second = store.attachment_beside("eth0.5", 7, Role::Source);
        assert_eq!(second.directory(), Path::new("/fs/mirror-agent/eth0:5 7/source"));
        assert_eq!(second.attached_as, "eth0.5");
        assert_ne!(first, second);
    }

    #[test]
    fn the_mark_is_no_interface() {
        // `IFNAMSIZ`, with the NUL.
        assert!(MOUNTED.len() >= 16);
    }
}
