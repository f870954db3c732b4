//! Hosts on a switch, and their end.

use std::{
    fs,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::host::Host;

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

    /// A new host that is connected to nothing.
    pub(crate) fn unconnected(&mut self, name: &str) -> Host {
        let host = Host::new(format!("{}-{name}", self.prefix), self.next);
        self.next += 1;
        host
    }

    /// A new host, connected by its `eth0`; the switch's end is called like the host.
    pub fn host(&mut self, name: &str) -> Host {
        let host = self.unconnected(name);
        let switch = &self.switch.namespace;
        host.ip(&["link", "add", "eth0", "type", "veth", "peer", "name", name, "netns", switch]);
        self.switch.ip(&["link", "set", "dev", name, "master", "br0", "up"]);
        host.ip(&["addr", "add", &format!("{}/24", host.v4()), "dev", "eth0"]);
        host.ip(&["addr", "add", &format!("{}/64", host.v6()), "dev", "eth0", "nodad"]);
        // Addresses are usable at once: nobody else is on this switch.
        host.shell("echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad");
        host.ip(&["link", "set", "eth0", "up"]);
        host
    }

    /// A further interface of `host`, up and without an address; returns its name.
    pub fn second_interface(&mut self, host: &Host, name: &str) -> String {
        let (switch, end) = (&self.switch.namespace, format!("{name}-{}", host.number));
        host.ip(&["link", "add", name, "type", "veth", "peer", "name", &end, "netns", switch]);
        self.switch.ip(&["link", "set", "dev", &end, "master", "br0", "up"]);
        // Or the new interface answers ARP for the addresses of `eth0`, on the same switch.
        host.shell("echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore");
        host.ip(&["link", "set", name, "up"]);
        name.to_owned()
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
        kill_all(&name);
        let _ = Command::new("umount").arg(std::env::temp_dir().join(&name)).output();
        let _ = fs::remove_dir(std::env::temp_dir().join(&name));
        // Another test may have been faster.
        let _ = Command::new("ip").args(["netns", "del", &name]).output();
    }
}

/// Ends the programs that still run in a namespace.
fn kill_all(namespace: &str) {
    let Ok(found) = Command::new("ip").args(["netns", "pids", namespace]).output() else { return };
    for pid in String::from_utf8_lossy(&found.stdout).split_whitespace() {
        let _ = pid.parse().map(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL));
    }
}
