//! Forwarding of one device alone, for the sake of programs that ask the kernel's routing tables: it answers on behalf of
//! a device that forwards, and of no other (`bpf_fib_lookup`, `BPF_FIB_LKUP_RET_FWD_DISABLED`).

use std::{fmt::Display, fs};

use anyhow::{Context as _, Result};

/// Switches it on for the device `name`. Where that cannot be done, says so, and what there is instead.
pub fn switch_on(name: &str, instead: impl Display) {
    for family in ["ipv4", "ipv6"] {
        if let Err(error) = forward(family, name) {
            log::warn!("{name}: {family}: {instead} ({error:#})");
        }
    }
}

fn forward(family: &str, name: &str) -> Result<()> {
    let path = format!("/proc/sys/net/{family}/conf/{name}/forwarding");
    if fs::read_to_string(&path).is_ok_and(|now| now.trim() == "1") {
        return Ok(());
    }
    match fs::write(&path, "1") {
        // Without IPv6, there are no copies of it.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && family == "ipv6" => Ok(()),
        result => result.with_context(|| format!("cannot write {path}")),
    }
}
