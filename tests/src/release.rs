//! Releases of memcached: the servers of several Debian releases, each with the libraries that it was built with.
//!
//! ```text
//! target/servers/bookworm/   loader ── --library-path ──▶ libraries
//!                trixie/        │ runs
//!                sid/           ▼
//!                            usr/bin/memcached
//! ```
//!
//! `cargo xtask test` fetches them once, and says in `MIRROR_SERVERS` where they are.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::Host;

/// A Debian release, and its memcached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Debian 12: 1.6.18.
    Bookworm,
    /// Debian 13: 1.6.38.
    Trixie,
    /// Whatever comes: 1.6.45 or later, as of the day on which it was fetched.
    Sid,
}

impl Release {
    /// All of them, oldest first.
    pub const ALL: [Self; 3] = [Self::Bookworm, Self::Trixie, Self::Sid];

    /// What Debian calls it, and its folder is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Sid => "sid",
        }
    }

    /// Its memcached as a command that will run on `host`.
    pub(crate) fn command(self, host: &Host) -> Command {
        let folder = self.folder();
        let libraries = libraries(&folder);
        let mut command = host.command(loader(&libraries));
        let path: Vec<String> =
            libraries.iter().map(|folder| folder.display().to_string()).collect();
        // Without this machine's libraries, even where one of its own is missing.
        command.args(["--inhibit-cache", "--library-path", &path.join(":")]);
        command.arg(folder.join("usr/bin/memcached"));
        command
    }

    /// Where it is: where the task runner says, or where it puts it.
    fn folder(self) -> PathBuf {
        let servers = std::env::var_os("MIRROR_SERVERS").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/servers"),
            PathBuf::from,
        );
        let folder = servers.join(self.name());
        assert!(
            folder.exists(),
            "there is no memcached in {}: cargo xtask test --e2e releases fetches it",
            folder.display()
        );
        folder
    }
}

/// The folders of a release's libraries, which have this machine's architecture in their names.
fn libraries(folder: &Path) -> Vec<PathBuf> {
    let folders = ["lib", "usr/lib"].map(|name| fs::read_dir(folder.join(name)));
    folders
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.expect("a folder that was just unpacked").path())
        .filter(|path| path.to_string_lossy().contains("-linux-gnu"))
        .collect()
}

/// What loads programs with these libraries: `ld-linux-x86-64.so.2` or a name like it.
fn loader(libraries: &[PathBuf]) -> PathBuf {
    libraries
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"ld"))
        })
        .expect("the C library has a loader")
}
