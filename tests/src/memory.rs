//! Memory that processes and maps take.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{Host, bpf::Map, host::Running};

/// Bytes of a process that are in memory; 0 when it is gone.
pub fn of_process(process: &Running) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.0.id()));
    let line = status.unwrap_or_default();
    number(&line, "VmRSS:") * 1024
}

/// Bytes of kernel memory of all maps that are pinned on this host.
pub fn of_maps(host: &Host) -> u64 {
    maps(&host.bpffs().join("mirror-agent")).iter().map(|path| locked(path)).sum()
}

/// What the kernel says a pinned map takes (`bpf_map_show_fdinfo`).
fn locked(path: &Path) -> u64 {
    let map = Map::pinned(path);
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", map.as_raw_fd()));
    number(&info.unwrap_or_default(), "memlock:")
}

/// The number behind `name` in lines of names and numbers.
fn number(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Pins below `folder` that are maps: their names are in capitals.
fn maps(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .flat_map(|path| {
            let name =
                path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
            if path.is_dir() {
                maps(&path)
            } else if name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_') {
                vec![path]
            } else {
                Vec::new()
            }
        })
        .collect()
}
