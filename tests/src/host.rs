//! One host: a network namespace with `eth0`, and a BPF file system of its own.

use std::{
    fs::{self, File},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Which of the two protocols: what is the same in both is tried with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// One after the other.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];
}

/// A host of a lab. Gone, with all that it held, when dropped.
#[derive(Debug)]
pub struct Host {
    /// Name of the namespace.
    pub namespace: String,
    /// Where it stands on the switch: the last number of its addresses.
    pub number: u8,
    bpffs: PathBuf,
}

impl Host {
    /// A namespace with loopback up and a BPF file system mounted beside it.
    pub(crate) fn new(namespace: String, number: u8) -> Self {
        ip(&["netns", "add", &namespace]);
        let bpffs = std::env::temp_dir().join(&namespace);
        fs::create_dir_all(&bpffs).expect("the lab needs a folder to mount a BPF file system at");
        mount(Some("bpf"), &bpffs, Some("bpf"), MsFlags::empty(), None::<&str>)
            .expect("the lab needs to mount a BPF file system: is this root?");
        let host = Self { namespace, number, bpffs };
        host.ip(&["link", "set", "lo", "up"]);
        host
    }

    /// The host's IPv4 address.
    pub fn v4(&self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 77, 0, self.number))
    }

    /// The host's IPv6 address.
    pub fn v6(&self) -> IpAddr {
        IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, u16::from(self.number)))
    }

    /// The host's address of this family.
    pub fn address(&self, family: Family) -> IpAddr {
        match family {
            Family::V4 => self.v4(),
            Family::V6 => self.v6(),
        }
    }

    /// Where the host's BPF file system is.
    pub fn bpffs(&self) -> &Path {
        &self.bpffs
    }

    /// A command that will run on this host.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = apart("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.namespace)).arg(program);
        command
    }

    /// Runs a program that has to succeed, and returns what it printed.
    pub fn output(&self, program: &str, arguments: &[&str]) -> String {
        succeed(self.command(program).args(arguments))
    }

    /// Runs `ip` for this host's namespace.
    pub fn ip(&self, arguments: &[&str]) {
        ip(&[&["-n", &self.namespace], arguments].concat());
    }

    /// Gives this host's netfilter a command, or adds tables to it; returns what `nft` printed.
    pub fn nft(&self, rules: &str) -> String {
        self.output("nft", &[rules])
    }

    /// Runs a shell line that has to succeed, and returns what it printed.
    pub fn shell(&self, line: &str) -> String {
        self.output("sh", &["-e", "-c", line])
    }

    /// Gives this host's addresses, which `eth0` has, to an interface of `host` instead, and takes it up.
    pub fn move_addresses(&self, host: &Self, interface: &str) {
        self.ip(&["addr", "flush", "dev", "eth0"]);
        host.ip(&["link", "set", interface, "up"]);
        host.ip(&["addr", "add", &format!("{}/24", self.v4()), "dev", interface]);
        host.ip(&["addr", "add", &format!("{}/64", self.v6()), "dev", interface, "nodad"]);
    }

    /// The MAC address of `eth0`, as it is written.
    pub fn mac(&self) -> String {
        self.link_word("eth0", "link/ether")
    }

    /// The same, as it is on the wire.
    pub fn mac_bytes(&self) -> [u8; 6] {
        self.mac_bytes_of("eth0")
    }

    /// The MAC address of an interface, as it is on the wire.
    pub fn mac_bytes_of(&self, interface: &str) -> [u8; 6] {
        let mac = self.link_word(interface, "link/ether");
        let bytes = mac.split(':').map(|byte| u8::from_str_radix(byte, 16).expect("two digits"));
        bytes.collect::<Vec<u8>>().try_into().expect("a MAC address has six bytes")
    }

    /// The MTU of an interface.
    pub fn mtu_of(&self, interface: &str) -> usize {
        self.link_word(interface, "mtu").parse().expect("a number of bytes")
    }

    /// What the switch's end of an interface is called.
    pub fn port(&self, interface: &str) -> String {
        match (interface, self.namespace.rsplit_once('-')) {
            ("eth0", Some((_, name))) => name.to_owned(),
            _ => format!("{interface}-{}", self.number),
        }
    }

    /// The word behind this one in what `ip` says of an interface.
    fn link_word(&self, interface: &str, name: &str) -> String {
        let link = self.output("ip", &["-o", "link", "show", interface]);
        let mut words = link.split_whitespace().skip_while(|word| *word != name);
        words.nth(1).expect("Ethernet interfaces have it").to_owned()
    }

    /// Has this CPU do what the kernel does with packets that arrive at `eth0` (RPS).
    pub fn steer(&self, cpu: usize) {
        self.steer_at("eth0", cpu);
    }

    /// The same for another interface of this host.
    pub fn steer_at(&self, interface: &str, cpu: usize) {
        let mask = 1u64 << cpu;
        let line = format!("echo {mask:x} >/sys/class/net/{interface}/queues/rx-0/rps_cpus");
        // `ip netns exec` brings the namespace's own /sys.
        ip(&["netns", "exec", &self.namespace, "sh", "-e", "-c", &line]);
    }

    /// The copy device of the source at `interface`.
    pub fn copy_device(&self, interface: &str) -> String {
        format!("macopy{}", self.interface_index(interface))
    }

    /// The kernel's number for an interface of this host.
    pub fn interface_index(&self, name: &str) -> u32 {
        self.run(|| nix::net::if_::if_nametoindex(name))
            .unwrap_or_else(|error| panic!("{name} of {}: {error}", self.namespace))
    }

    /// Runs `work` on a thread whose sockets are on this host.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.namespace))
            .expect("the host's namespace exists as long as the host");
        std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    setns(namespace, CloneFlags::CLONE_NEWNET).expect("entering the namespace");
                    work()
                })
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = umount2(&self.bpffs, MntFlags::MNT_DETACH);
        let _ = fs::remove_dir(&self.bpffs);
        let _ = apart("ip").args(["netns", "del", &self.namespace]).output();
    }
}

/// A child that is killed, and waited for, when dropped.
#[derive(Debug)]
pub struct Running(pub Child);

impl Running {
    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.0.id()).expect("process ids are small");
        kill(Pid::from_raw(pid), signal).expect("the child runs");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `ip` with arguments that have to succeed.
pub(crate) fn ip(arguments: &[&str]) {
    succeed(apart("ip").args(arguments));
}

/// A command that a terminal's Ctrl-C does not reach: who runs the lab takes it down, in order.
fn apart(program: &str) -> Command {
    let mut command = Command::new(program);
    command.process_group(0);
    command
}

fn succeed(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8_lossy(&stdout).into_owned()
}
