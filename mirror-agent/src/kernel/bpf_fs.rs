//! The BPF file system that pins are in: whether there is one, mounting one, and taking that one off again.

use std::{fs, fs::File, os::unix::fs::MetadataExt as _, path::Path};

use anyhow::{Context as _, Result, bail};
use nix::{
    mount::{MntFlags, MsFlags, mount as mount_at, umount2},
    sys::{
        stat::{major, minor},
        statfs::{FsType, statfs},
    },
};

const MAGIC: FsType = FsType(0xcafe_4a11);
/// Where distributions mount one. It stays when the agent mounted it, as it would if they had.
const DEFAULT: &str = "/sys/fs/bpf";

/// Whether a BPF file system is mounted at `directory`, which has to be there.
///
/// # Errors
///
/// Where it is not there, or may not be looked at.
pub(super) fn is_mounted(directory: &Path) -> Result<bool> {
    let about = statfs(directory)
        .with_context(|| format!("cannot use {} as BPF file system", directory.display()))?;
    Ok(about.filesystem_type() == MAGIC)
}

/// Mounts one at `directory`, which has to be empty: what is below a mount is hidden.
///
/// # Errors
///
/// Where the directory is not empty, or the kernel refuses.
pub(super) fn mount(directory: &Path) -> Result<()> {
    let name = directory.display();
    let first = fs::read_dir(directory).with_context(|| format!("cannot read {name}"))?.next();
    if let Some(entry) = first {
        let entry = entry.with_context(|| format!("cannot read {name}"))?;
        bail!(
            "{name} is no BPF file system, and is not empty ({} is in it): mounting one there would hide \
             what it holds; give --bpffs an empty directory, or leave it out for {DEFAULT}",
            entry.file_name().to_string_lossy()
        );
    }
    mount_at(Some("bpf"), directory, Some("bpf"), MsFlags::empty(), Some("mode=0700"))
        .with_context(|| {
            format!(
                "no BPF file system is mounted at {name}, and mounting one failed; try: mount -t bpf bpf \
                 {name}"
            )
        })?;
    log::info!("mounted a BPF file system at {name}");
    Ok(())
}

/// Refuses where `directory` is not the one that was opened: another agent has unmounted it meanwhile.
///
/// # Errors
///
/// As said.
pub(super) fn check_same(opened: &File, directory: &Path) -> Result<()> {
    let failed = || format!("cannot look at {}", directory.display());
    let [a, b] = [opened.metadata(), fs::metadata(directory)];
    let (a, b) = (a.with_context(failed)?, b.with_context(failed)?);
    if (a.dev(), a.ino()) != (b.dev(), b.ino()) {
        bail!("another mirror-agent has just unmounted {}; try again", directory.display());
    }
    Ok(())
}

/// Warns where the file system at `directory` is not mounted for the first process, but in another mount namespace, as
/// `ip netns exec` makes one: what is pinned there, and with it the mirror, goes when the last process in that one ends.
pub(super) fn warn_if_private(directory: &Path) {
    let (Ok(about), Ok(mounts)) =
        (fs::metadata(directory), fs::read_to_string("/proc/1/mountinfo"))
    else {
        return;
    };
    if !mounts.is_empty() && !is_among(&mounts, about.dev()) {
        log::warn!(
            "{0} is mounted in a mount namespace that is not the host's: all that is attached ends with the last \
             process there. Where that is not wanted, run this by `nsenter --net=…` instead of `ip netns exec`, or \
             mount a BPF file system at {0} before",
            directory.display()
        );
    }
}

/// Whether one of these mounts, as proc(5) lists them, is of this file system.
fn is_among(mounts: &str, device: u64) -> bool {
    let device = format!("{}:{}", major(device), minor(device));
    mounts.lines().any(|line| line.split(' ').nth(2) == Some(device.as_str()))
}

/// Whether the agent unmounts what it mounted at `directory`.
pub(super) fn is_ours_to_unmount(directory: &Path) -> bool {
    fs::canonicalize(directory).is_ok_and(|directory| directory != Path::new(DEFAULT))
}

/// Unmounts the one at `directory`, unless somebody has pinned something there. Best effort.
pub(super) fn unmount(directory: &Path) {
    match is_empty(directory) {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => return log::debug!("cannot read {}: {error}", directory.display()),
    }
    match umount2(directory, MntFlags::UMOUNT_NOFOLLOW) {
        Ok(()) => log::info!("unmounted the BPF file system at {}", directory.display()),
        Err(error) => log::warn!(
            "the BPF file system at {} stays mounted, as somebody uses it ({error}); umount {0} takes it off",
            directory.display()
        ),
    }
}

/// Whether nothing is pinned there. The kernel's own files, which are in each, do not count (kernel:
/// `kernel/bpf/preload`).
fn is_empty(directory: &Path) -> std::io::Result<bool> {
    for entry in fs::read_dir(directory)? {
        if !entry?.file_name().to_string_lossy().ends_with(".debug") {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_known_by_their_device() {
        let mounts = "23 28 0:21 / /proc rw,nosuid - proc proc rw\n\
                      35 24 0:30 / /sys/fs/bpf rw,nosuid shared:9 - bpf bpf rw,mode=700\n";
        assert!(is_among(mounts, 30));
        assert!(!is_among(mounts, 3));
        assert!(!is_among("", 30));
    }
}
