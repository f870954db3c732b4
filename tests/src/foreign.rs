//! Programs of somebody else: they count packets at `eth0` and let them pass.

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use nix::libc;

use crate::Host;

const MAP_CREATE: i64 = 0;
const MAP_LOOKUP: i64 = 1;
const PROG_LOAD: i64 = 5;
const LINK_CREATE: i64 = 28;
const ARRAY: u32 = 2;
const SCHED_CLS: u32 = 3;
const XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
const ATTACH_TCX_INGRESS: u32 = 46;
const ATTACH_TCX_EGRESS: u32 = 47;
const XDP_PASS: i32 = 2;
const TCX_NEXT: i32 = -1;

/// One program that counts. Gone when dropped.
#[derive(Debug)]
pub struct Counter {
    /// Which hook, for messages.
    pub hook: &'static str,
    map: OwnedFd,
    program: OwnedFd,
    _link: OwnedFd,
}

impl Counter {
    /// Counts what arrives.
    pub fn tcx_ingress(host: &Host) -> Self {
        Self::new(host, "tcx ingress", SCHED_CLS, ATTACH_TCX_INGRESS, TCX_NEXT)
    }

    /// Counts what leaves.
    pub fn tcx_egress(host: &Host) -> Self {
        Self::new(host, "tcx egress", SCHED_CLS, ATTACH_TCX_EGRESS, TCX_NEXT)
    }

    /// Counts what arrives, before the stack has it.
    pub fn xdp(host: &Host) -> Self {
        Self::new(host, "XDP", XDP, ATTACH_XDP, XDP_PASS)
    }

    /// The kernel's number for the program.
    pub fn id(&self) -> u64 {
        program_id(&self.program)
    }

    /// How many packets there were.
    pub fn read(&self) -> u64 {
        let (key, mut value) = (0u32, 0u64);
        let mut attributes = Attributes::default();
        attributes.u32(0, self.map.as_raw_fd().cast_unsigned());
        attributes.pointer(8, &raw const key);
        attributes.pointer(16, &raw mut value);
        bpf(MAP_LOOKUP, &attributes).expect("a counter can be read");
        value
    }

    fn new(host: &Host, hook: &'static str, kind: u32, attach: u32, verdict: i32) -> Self {
        let mut attributes = Attributes::default();
        attributes.u32(0, ARRAY);
        attributes.u32(4, 4);
        attributes.u32(8, 8);
        attributes.u32(12, 1);
        let map = bpf_fd(MAP_CREATE, &attributes).expect("a map can be made");

        let program = load(kind, &instructions(map.as_raw_fd(), verdict));

        let link = host.run(|| {
            let index = nix::net::if_::if_nametoindex("eth0").expect("hosts have eth0");
            let mut attributes = Attributes::default();
            attributes.u32(0, program.as_raw_fd().cast_unsigned());
            attributes.u32(4, index);
            attributes.u32(8, attach);
            bpf_fd(LINK_CREATE, &attributes).expect("the program can be attached")
        });
        Self { hook, map, program, _link: link }
    }
}

/// A tc program that does nothing, attached nowhere. Gone when dropped.
#[derive(Debug)]
pub struct Nothing(OwnedFd);

impl Nothing {
    /// Loads it.
    pub fn tc() -> Self {
        Self(load(SCHED_CLS, &end(TCX_NEXT)))
    }

    /// The kernel's number for the program.
    pub fn id(&self) -> u64 {
        program_id(&self.0)
    }
}

fn load(kind: u32, program: &[u64]) -> OwnedFd {
    let license = c"GPL";
    let mut attributes = Attributes::default();
    attributes.u32(0, kind);
    attributes.u32(4, u32::try_from(program.len()).expect("a short program"));
    attributes.pointer(8, program.as_ptr());
    attributes.pointer(16, license.as_ptr());
    bpf_fd(PROG_LOAD, &attributes).expect("the program is valid")
}

fn program_id(program: &OwnedFd) -> u64 {
    let path = format!("/proc/self/fdinfo/{}", program.as_raw_fd());
    let text = std::fs::read_to_string(path).expect("a descriptor of ours");
    let id = text.lines().find_map(|line| line.strip_prefix("prog_id:"));
    id.and_then(|id| id.trim().parse().ok()).expect("the kernel says which program it is")
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

/// `value[0] += 1; return verdict`.
fn instructions(map: i32, verdict: i32) -> Vec<u64> {
    let mut program = vec![
        one(0x62, 0x0a, -4, 0),  // *(u32 *)(r10 - 4) = 0
        one(0xbf, 0xa2, 0, 0),   // r2 = r10
        one(0x07, 0x02, 0, -4),  // r2 += -4
        one(0x18, 0x11, 0, map), // r1 = map, in two halves
        one(0, 0, 0, 0),
        one(0x85, 0, 0, 1),    // r0 = bpf_map_lookup_elem(r1, r2)
        one(0x15, 0x00, 2, 0), // if r0 == 0 skip two
        one(0xb7, 0x01, 0, 1), // r1 = 1
        one(0xdb, 0x10, 0, 0), // lock *(u64 *)r0 += r1
    ];
    program.extend(end(verdict));
    program
}

/// `return verdict`.
fn end(verdict: i32) -> [u64; 2] {
    [
        one(0xb7, 0x00, 0, verdict), // r0 = verdict
        one(0x95, 0, 0, 0),          // exit
    ]
}

/// An instruction, which has eight bytes: code, registers, offset, immediate.
fn one(code: u64, registers: u64, offset: i16, immediate: i32) -> u64 {
    code | registers << 8
        | u64::from(offset.cast_unsigned()) << 16
        | u64::from(immediate.cast_unsigned()) << 32
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
