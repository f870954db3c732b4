//! Programs and maps of the lab's own: made by the `bpf` system call, and gone with their descriptors.

mod assembler;

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use nix::libc;

pub(crate) use assembler::{Assembler, CONTEXT, IFINDEX_IN, MARK, R0, R1, R2, R3, R7, helper};

use crate::Host;

const MAP_CREATE: i64 = 0;
const MAP_LOOKUP: i64 = 1;
const PROG_LOAD: i64 = 5;
const LINK_CREATE: i64 = 28;
const ARRAY: u32 = 2;

/// Verdict: the next program, and then the stack, has the packet.
pub(crate) const TCX_NEXT: i32 = -1;
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
    fn attach_type(self) -> u32 {
        match self {
            Self::Xdp => 37,
            Self::TcxIngress => 46,
            Self::TcxEgress => 47,
        }
    }
}

/// An array of numbers, all zero at first.
#[derive(Debug)]
pub(crate) struct Map(OwnedFd);

impl Map {
    /// One of so many entries.
    pub(crate) fn new(entries: u32) -> Self {
        let mut attributes = Attributes::default();
        attributes.u32(0, ARRAY);
        attributes.u32(4, 4);
        attributes.u32(8, 8);
        attributes.u32(12, entries);
        Self(bpf_fd(MAP_CREATE, &attributes).expect("a map can be made"))
    }

    /// Entry `index`.
    pub(crate) fn read(&self, index: u32) -> u64 {
        let mut value = 0u64;
        let mut attributes = Attributes::default();
        attributes.u32(0, self.0.as_raw_fd().cast_unsigned());
        attributes.pointer(8, &raw const index);
        attributes.pointer(16, &raw mut value);
        bpf(MAP_LOOKUP, &attributes).expect("a map can be read");
        value
    }
}

/// A loaded program.
#[derive(Debug)]
pub(crate) struct Program {
    fd: OwnedFd,
    hook: Hook,
}

impl Program {
    /// Loads `code`, which the kernel's verifier has to accept.
    pub(crate) fn load(hook: Hook, code: &Assembler) -> Self {
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
        let fd = bpf_fd(PROG_LOAD, &attributes).unwrap_or_else(|error| {
            panic!("the verifier refuses ({error}): {}", String::from_utf8_lossy(&log))
        });
        Self { fd, hook }
    }

    /// The kernel's number for the program.
    pub(crate) fn id(&self) -> u64 {
        let path = format!("/proc/self/fdinfo/{}", self.fd.as_raw_fd());
        let text = std::fs::read_to_string(path).expect("a descriptor of ours");
        let id = text.lines().find_map(|line| line.strip_prefix("prog_id:"));
        id.and_then(|id| id.trim().parse().ok()).expect("the kernel says which program it is")
    }

    /// Has it run at an interface of `host`, until the link is dropped.
    pub(crate) fn attach(&self, host: &Host, interface: &str) -> Link {
        let index = host.interface_index(interface);
        let mut attributes = Attributes::default();
        attributes.u32(0, self.fd.as_raw_fd().cast_unsigned());
        attributes.u32(4, index);
        attributes.u32(8, self.hook.attach_type());
        Link {
            _fd: host
                .run(|| bpf_fd(LINK_CREATE, &attributes).expect("the program can be attached")),
        }
    }
}

/// An attached program. It runs for as long as this lives.
#[derive(Debug)]
pub(crate) struct Link {
    _fd: OwnedFd,
}

/// `union bpf_attr`, filled by offset.
#[repr(C, align(8))]
struct Attributes([u8; 128]);

impl Default for Attributes {
    fn default() -> Self {
        Self([0; 128])
    }
}

impl Attributes {
    fn u32(&mut self, offset: usize, value: u32) {
        self.0[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
    }

    fn pointer<T>(&mut self, offset: usize, value: *const T) {
        self.0[offset..offset + 8].copy_from_slice(&(value as u64).to_ne_bytes());
    }
}

fn bpf_fd(command: i64, attributes: &Attributes) -> io::Result<OwnedFd> {
    let fd = bpf(command, attributes)?;
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn bpf(command: i64, attributes: &Attributes) -> io::Result<i64> {
    // SAFETY: the attributes are as large as said, and what they point to lives during the call.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<Attributes>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
