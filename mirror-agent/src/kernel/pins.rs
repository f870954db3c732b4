//! Where programs and maps live on the BPF file system, and the lock that keeps two agents apart.
//!
//! `<bpffs>/mirror-agent/<interface>/<role>/` holds one file for each map, by the map's name, and
//! one for each link, `link_ingress`, `link_egress` and so on (before Linux 6.6: see `clsact.rs`). A
//! directory exists if and only if something is attached.

use std::{
    fmt, fs,
    fs::File,
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use nix::{
    fcntl::{Flock, FlockArg},
    mount::{MsFlags, mount},
    sys::statfs::{FsType, statfs},
};

/// How the names of links' pins begin.
pub(crate) const LINK: &str = "link_";

const BPF_FS_MAGIC: FsType = FsType(0xcafe_4a11);

/// Which programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The old host: makes copies.
    Source,
    /// The new host: serves copies.
    Target,
    /// Any host: drops what a new host might send to clients.
    Guard,
}

impl Role {
    /// All.
    pub const ALL: [Self; 3] = [Self::Source, Self::Target, Self::Guard];

    /// Name of the directory, and in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
            Self::Guard => "guard",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The agent's directory on one BPF file system.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The store on the BPF file system at `bpffs`, which is mounted if nothing is mounted there.
    pub fn open(bpffs: &Path) -> Result<Self> {
        let kind = statfs(bpffs)
            .with_context(|| format!("cannot use {} as BPF file system", bpffs.display()))?
            .filesystem_type();
        if kind != BPF_FS_MAGIC {
            mount(Some("bpf"), bpffs, Some("bpf"), MsFlags::empty(), Some("mode=0700"))
                .with_context(|| {
                    format!(
                        "no BPF file system is mounted at {0}, and mounting one failed; try: \
                         mount -t bpf bpf {0}",
                        bpffs.display()
                    )
                })?;
            log::info!("mounted a BPF file system at {}", bpffs.display());
        }
        Ok(Self { root: bpffs.join("mirror-agent") })
    }

    /// Keeps other agents out until the guard is dropped. Fails when one is at work.
    pub fn lock(&self) -> Result<Lock> {
        make_directory(&self.root)?;
        let directory = File::open(&self.root)
            .with_context(|| format!("cannot open {}", self.root.display()))?;
        match Flock::lock(directory, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Lock { _lock: lock, root: self.root.clone() }),
            Err((_, nix::Error::EWOULDBLOCK)) => bail!(
                "another mirror-agent is changing {} right now; try again when it is done",
                self.root.display()
            ),
            Err((_, error)) => {
                Err(error).with_context(|| format!("cannot lock {}", self.root.display()))
            }
        }
    }

    /// The pins of `role` at `interface`, whether they exist or not.
    pub fn attachment(&self, interface: &str, role: Role) -> Attachment {
        Attachment {
            interface: interface.to_owned(),
            role,
            directory: self.root.join(interface).join(role.name()),
        }
    }

    /// All that is attached, by interface and role.
    pub fn attachments(&self) -> Result<Vec<Attachment>> {
        let mut found: Vec<Attachment> = names(&self.root)?
            .iter()
            .flat_map(|interface| Role::ALL.map(|role| self.attachment(interface, role)))
            .filter(Attachment::exists)
            .collect();
        found.sort_by(|a, b| (&a.interface, a.role).cmp(&(&b.interface, b.role)));
        Ok(found)
    }
}

/// Exclusive use of the store. Takes the agent's directory away again if it is empty at the end.
#[derive(Debug)]
pub struct Lock {
    _lock: Flock<File>,
    root: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Fails, as it should, when something is attached.
        let _ = fs::remove_dir(&self.root);
    }
}

/// The pins of one role at one interface.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// The interface's name.
    pub interface: String,
    /// Which programs.
    pub role: Role,
    directory: PathBuf,
}

impl Attachment {
    /// Whether anything is pinned.
    pub fn exists(&self) -> bool {
        self.directory.is_dir()
    }

    /// All that are attached in the same role at other interfaces.
    pub fn others(&self) -> Result<Vec<Self>> {
        let Some(root) = self.directory.ancestors().nth(2) else { return Ok(Vec::new()) };
        let mut found = Store { root: root.to_owned() }.attachments()?;
        found.retain(|other| other.role == self.role && other.interface != self.interface);
        Ok(found)
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

    /// Removes the pins of those links whose hook is `unwanted`.
    pub fn remove_links(&self, unwanted: impl Fn(&str) -> bool) -> Result<()> {
        for name in names(&self.directory)? {
            if name.strip_prefix(LINK).is_some_and(&unwanted) {
                remove_file(&self.directory.join(&name))?;
            }
        }
        Ok(())
    }

    /// Removes all pins, links first: the programs stop, then what they used goes.
    pub fn remove(&self) -> Result<()> {
        let names = names(&self.directory)?;
        let (links, maps): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| name.starts_with(LINK));
        for name in links.iter().chain(&maps) {
            remove_file(&self.directory.join(name))?;
        }
        remove_directory(&self.directory)?;
        // Fails, as it should, when another role is attached.
        if let Some(interface) = self.directory.parent() {
            let _ = fs::remove_dir(interface);
        }
        Ok(())
    }
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
