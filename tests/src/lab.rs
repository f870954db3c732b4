//! Hosts on a switch, and their end.

use std::{
    fs,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::host::{Host, ip};

static LABS: AtomicU32 = AtomicU32::new(0);

/// Hosts on one Ethernet segment. Everything is taken down when dropped, after a panic too.
#[derive(Debug)]
pub struct Lab {
    prefix: String,
    switch: Host,
    next: u8,
}

impl Lab {
    /// An empty switch.
    pub fn new() -> Self {
        assert!(nix::unistd::geteuid().is_root(), "the lab needs root, for network namespaces");
        clear_leftovers();
        let number = LABS.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("malab-{}-{number}", std::process::id());
        let switch = Host::new(format!("{prefix}-switch"), 0);
        switch.ip(&["link", "add", "br0", "type", "bridge"]);
        switch.ip(&["link", "set", "br0", "up"]);
        Self { prefix, switch, next: 1 }
    }

    /// A new host, connected by its `eth0`; the switch's end is called like the host.
    pub fn host(&mut self, name: &str) -> Host {
        let host = Host::new(format!("{}-{name}", self.prefix), self.next);
        self.next += 1;
        let switch = &self.switch.namespace;
        host.ip(&["link", "add", "eth0", "type", "veth", "peer", "name", name, "netns", switch]);
        self.switch.ip(&["link", "set", name, "master", "br0", "up"]);
        host.ip(&["addr", "add", &format!("{}/24", host.v4()), "dev", "eth0"]);
        host.ip(&["addr", "add", &format!("{}/64", host.v6()), "dev", "eth0", "nodad"]);
        host.ip(&["link", "set", "eth0", "up"]);
        host
    }

    /// The switch, to see what is on its wires.
    pub fn switch(&self) -> &Host {
        &self.switch
    }
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes away what a lab left behind whose process was killed.
fn clear_leftovers() {
    let Ok(entries) = fs::read_dir("/run/netns") else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix("malab-").and_then(|rest| rest.split('-').next());
        let Some(owner) = owner else { continue };
        if fs::exists(format!("/proc/{owner}")).unwrap_or(true) {
            continue;
        }
        let _ = Command::new("umount").arg(std::env::temp_dir().join(&name)).output();
        let _ = fs::remove_dir(std::env::temp_dir().join(&name));
        ip(&["netns", "del", &name]);
    }
}
