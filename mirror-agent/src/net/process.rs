//! Processes and which sockets they have, by /proc.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::time::{ClockId, clock_gettime};

/// Files of a process that are looked at. A server opens its listening sockets before it takes connections.
const FILES: usize = 256;
/// Processor time for all processes together.
const PATIENCE: Duration = Duration::from_millis(30);
/// Holds sockets of services that it starts, and serves none.
const INIT: i32 = 1;

/// All that can be seen: their numbers, and their directories in /proc.
pub fn all() -> impl Iterator<Item = (i32, PathBuf)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((number(entry.file_name().to_str()?)?, entry.path())))
}

/// Of a process, by what its directory is called.
fn number(name: &str) -> Option<i32> {
    name.parse().ok()
}

/// The number of a socket in the file system of sockets, where a file that a process has open is one: `target` is what
/// the link to it says, like `socket:[12345]`.
pub fn socket_number(target: &Path) -> Option<u32> {
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// Those of `sought` that belong to a process which has one of `known`, too; numbers are those of the file system of
/// sockets. What cannot be seen, or not in time, is not found.
pub fn beside(known: &BTreeSet<u32>, sought: &BTreeSet<u32>) -> BTreeSet<u32> {
    let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let start = processor_time();
    for (_, directory) in all().filter(|(number, _)| *number != INIT) {
        if known.is_subset(&seen) {
            break;
        }
        if processor_time().saturating_sub(start) > PATIENCE {
            log::debug!(
                "not all processes were looked at: unix sockets of memcached may be missed"
            );
            break;
        }
        let sockets = sockets_of(&directory);
        if !sockets.is_disjoint(known) {
            found.extend(sockets.intersection(sought));
            seen.extend(sockets.intersection(known));
        }
    }
    found
}

/// The words of the command line of a process that has the socket with this number. `None` where it cannot be seen, or not
/// in time.
pub fn command_with(socket: u32) -> Option<Vec<String>> {
    let start = processor_time();
    let in_time = |_: &(i32, PathBuf)| processor_time().saturating_sub(start) <= PATIENCE;
    let (_, directory) = all()
        .filter(|(number, _)| *number != INIT)
        .take_while(in_time)
        .find(|(_, directory)| sockets_of(directory).contains(&socket))?;
    let line = fs::read(directory.join("cmdline")).ok()?;
    let words = line.split(|byte| *byte == 0);
    Some(words.map(|word| String::from_utf8_lossy(word).into_owned()).collect())
}

/// What this thread has used; zero where the kernel does not say.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Only of the beginning of what it has open, where listening sockets are.
fn sockets_of(process: &Path) -> BTreeSet<u32> {
    let Ok(files) = fs::read_dir(process.join("fd")) else { return BTreeSet::new() };
    files
        .take(FILES)
        .filter_map(|file| socket_number(&fs::read_link(file.ok()?.path()).ok()?))
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
    fn links_to_sockets() {
        let number = |target: &str| socket_number(Path::new(target));
        assert_eq!(number("socket:[12345]"), Some(12345));
        for other in
            ["pipe:[12345]", "socket:[]", "socket:[1", "/dev/null", "anon_inode:[eventpoll]"]
        {
            assert_eq!(number(other), None, "{other}");
        }
    }

    #[test]
    fn processes_are_numbers() {
        assert_eq!([number("1234"), number("self"), number("12a")], [Some(1234), None, None]);
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(all().any(|(number, _)| number == own));
    }

    #[test]
    fn a_process_is_found_by_its_socket() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let own: Vec<_> = std::env::args().collect();
        assert_eq!(command_with(inode(&tcp)).unwrap()[..own.len()], own);
        assert_eq!(command_with(u32::MAX), None);
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
