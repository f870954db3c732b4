//! Programs: loaded or found, and attached.

use std::{
    os::fd::{AsRawFd as _, OwnedFd},
    path::PathBuf,
};

use super::{
    Assembler,
    syscall::{Attributes, Command, call, descriptor, pinned},
};
use crate::Host;

/// Verdict: the next program, and then the stack, has the packet.
pub(crate) const TCX_NEXT: i32 = -1;
/// Verdict: the stack has the packet, and no further program.
pub(crate) const TCX_PASS: i32 = 0;
/// Verdict: the packet ends here.
pub(crate) const TCX_DROP: i32 = 2;
/// Verdict of an XDP program: the stack has the packet.
pub(crate) const XDP_PASS: i32 = 2;

/// What a program can be attached to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hook {
    /// What arrives, before the stack has it.
    Xdp,
    /// What arrives.
    TcxIngress,
    /// What leaves.
    TcxEgress,
}

impl Hook {
    /// `enum bpf_prog_type`.
    fn program_type(self) -> u32 {
        match self {
            Self::TcxIngress | Self::TcxEgress => 3,
            Self::Xdp => 6,
        }
    }

    /// `enum bpf_attach_type`.
    pub(super) fn attach_type(self) -> u32 {
        match self {
            Self::Xdp => 37,
            Self::TcxIngress => 46,
            Self::TcxEgress => 47,
        }
    }
}

/// A program in the kernel.
#[derive(Debug)]
pub struct Program(pub(super) OwnedFd);

impl Program {
    /// Loads `code` for `hook`. The kernel's verifier has to accept it.
    pub(crate) fn load(hook: Hook, code: &Assembler) -> Self {
        Self::load_named(hook, code, "")
    }

    /// The same, by a name of up to 15 bytes.
    pub(crate) fn load_named(hook: Hook, code: &Assembler, name: &str) -> Self {
        let (license, code) = (c"GPL", code.instructions());
        let mut log = vec![0u8; 1 << 16];
        let mut attributes = Attributes::default();
        attributes.u32(0, hook.program_type());
        attributes.u32(4, u32::try_from(code.len()).expect("a short program"));
        attributes.pointer(8, code.as_ptr());
        attributes.pointer(16, license.as_ptr());
        attributes.u32(24, 1);
        attributes.u32(28, 1 << 16);
        attributes.pointer(32, log.as_mut_ptr());
        attributes.text(48, name);
        let fd = descriptor(Command::ProgramLoad, &mut attributes).unwrap_or_else(|error| {
            panic!("the verifier refuses ({error}): {}", String::from_utf8_lossy(&log))
        });
        Self(fd)
    }

    /// The program of the mirror that is attached at `eth0` of `host` as `role`, at the hook that its
    /// pin is called after.
    pub fn attached(host: &Host, role: &str, hook: &str) -> Self {
        let directory = host.bpffs().join("mirror-agent/eth0").join(role);
        let (link, filter) = (format!("link_{hook}"), format!("filter_{hook}__"));
        let pins = std::fs::read_dir(&directory).expect("something is attached").flatten();
        let is_filter = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&filter))
        };
        // Before Linux 6.6 there are no links: the program itself is pinned.
        if let Some(path) = pins.map(|entry| entry.path()).find(is_filter) {
            return Self(pinned(&path));
        }
        let link = pinned(&directory.join(link));
        // `struct bpf_link_info`: type, id, program's id.
        let mut info = [0u32; 3];
        let mut attributes = Attributes::default();
        attributes.fd(0, &link);
        attributes.u32(4, 12);
        attributes.pointer(8, info.as_mut_ptr());
        call(Command::ObjectInfo, &mut attributes).expect("the kernel describes a link");
        Self::by_id(u64::from(info[2]))
    }

    /// The program with the kernel's number `id`.
    pub fn by_id(id: u64) -> Self {
        let mut attributes = Attributes::default();
        attributes.u32(0, u32::try_from(id).expect("a program's number"));
        Self(
            descriptor(Command::ProgramById, &mut attributes).expect("the program is still loaded"),
        )
    }

    /// The kernel's number for the program.
    pub fn id(&self) -> u64 {
        let path = format!("/proc/self/fdinfo/{}", self.0.as_raw_fd());
        let text = std::fs::read_to_string(path).expect("a descriptor of ours");
        let id = text.lines().find_map(|line| line.strip_prefix("prog_id:"));
        id.and_then(|id| id.trim().parse().ok()).expect("the kernel says which program it is")
    }

    /// Has it run at `hook` of an interface of `host`, behind those that are there, until the link is
    /// dropped.
    pub(crate) fn attach(&self, hook: Hook, host: &Host, interface: &str) -> Link {
        self.link(hook, host, interface, 0)
    }

    /// The same, before those that are there.
    pub(crate) fn attach_first(&self, hook: Hook, host: &Host, interface: &str) -> Link {
        const BEFORE: u32 = 1 << 3;
        self.link(hook, host, interface, BEFORE)
    }

    fn link(&self, hook: Hook, host: &Host, interface: &str, flags: u32) -> Link {
        let mut attributes = Attributes::default();
        attributes.fd(0, &self.0);
        attributes.u32(4, host.interface_index(interface));
        attributes.u32(8, hook.attach_type());
        attributes.u32(12, flags);
        let fd = host.run(|| descriptor(Command::LinkCreate, &mut attributes));
        Link { _fd: fd.expect("the program can be attached") }
    }
}

/// An attached program. It runs for as long as this lives.
#[derive(Debug)]
pub(crate) struct Link {
    _fd: OwnedFd,
}
