//! Which sockets a process has, by /proc: only the beginning of what it has open, where listening sockets are.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use nix::time::{ClockId, clock_gettime};

/// Files of a process that are looked at. A server opens its listening sockets before it takes connections.
const FILES: usize = 256;
/// Processor time for all processes together.
const PATIENCE: Duration = Duration::from_millis(30);
/// Holds sockets of services that it starts, and serves none.
const INIT: &str = "1";

/// Those of `sought` that belong to a process which has one of `known`, too; numbers are those of the file system of
/// sockets. What cannot be seen, or not in time, is not found.
pub fn beside(known: &BTreeSet<u32>, sought: &BTreeSet<u32>) -> BTreeSet<u32> {
    let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let start = processor_time();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if known.is_subset(&seen) {
            break;
        }
        if processor_time().saturating_sub(start) > PATIENCE {
            log::debug!(
                "not all processes were looked at: unix sockets of memcached may be missed"
            );
            break;
        }
        let name = process.file_name();
        let Some(name) = name.to_str().filter(|name| *name != INIT) else { continue };
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            let sockets = sockets_of(&process.path());
            if !sockets.is_disjoint(known) {
                found.extend(sockets.intersection(sought));
                seen.extend(sockets.intersection(known));
            }
        }
    }
    found
}

/// What this thread has used; zero where the kernel does not say.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

fn sockets_of(process: &Path) -> BTreeSet<u32> {
    let Ok(files) = fs::read_dir(process.join("fd")) else { return BTreeSet::new() };
    files
        .take(FILES)
        .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
        .filter_map(|target| {
            target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, os::unix::net::UnixListener};

    use super::*;

    fn inode(socket: &impl std::os::fd::AsRawFd) -> u32 {
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
        let text = link.to_str().unwrap();
        text.trim_start_matches("socket:[").trim_end_matches(']').parse().unwrap()
    }

    #[test]
    fn sockets_of_one_process_find_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let unix = UnixListener::bind(folder.path().join("socket")).unwrap();
        let (tcp, unix) = (inode(&tcp), inode(&unix));
        assert_eq!(
            beside(&BTreeSet::from([tcp]), &BTreeSet::from([unix, u32::MAX])),
            BTreeSet::from([unix])
        );
        assert!(beside(&BTreeSet::from([u32::MAX]), &BTreeSet::from([unix])).is_empty());
    }
}
