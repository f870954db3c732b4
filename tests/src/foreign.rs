//! Programs of somebody else at `eth0`.

use std::os::fd::{AsRawFd as _, OwnedFd};

use crate::{
    Host,
    bpf::{self, Attributes, Command},
};

const ARRAY: u32 = 2;
const SCHED_CLS: u32 = 3;
const XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
const ATTACH_TCX_INGRESS: u32 = 46;
const ATTACH_TCX_EGRESS: u32 = 47;
const XDP_PASS: i32 = 2;
const TCX_NEXT: i32 = -1;
const TCX_DROP: i32 = 2;

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
        attributes.fd(0, &self.map);
        attributes.pointer(8, &raw const key);
        attributes.pointer(16, &raw mut value);
        bpf::call(Command::MapLookup, &mut attributes).expect("a counter can be read");
        value
    }

    fn new(host: &Host, hook: &'static str, kind: u32, attach_type: u32, verdict: i32) -> Self {
        let mut attributes = Attributes::default();
        attributes.u32(0, ARRAY);
        attributes.u32(4, 4);
        attributes.u32(8, 8);
        attributes.u32(12, 1);
        let map = bpf::descriptor(Command::MapCreate, &mut attributes).expect("a map can be made");

        let program = load(kind, &instructions(map.as_raw_fd(), verdict));

        let link = attach(host, &program, attach_type, 0);
        Self { hook, map, program, _link: link }
    }
}

/// A program that drops all that leaves, before anybody else sees it. Gone when dropped.
#[derive(Debug)]
pub struct Refusing(#[expect(dead_code, reason = "held, not used")] OwnedFd);

impl Refusing {
    /// At the egress of `eth0`.
    pub fn tcx_egress(host: &Host) -> Self {
        const BEFORE: u32 = 1 << 3;
        let program = load(SCHED_CLS, &end(TCX_DROP));
        Self(attach(host, &program, ATTACH_TCX_EGRESS, BEFORE))
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
    bpf::descriptor(Command::ProgramLoad, &mut attributes).expect("the program is valid")
}

fn attach(host: &Host, program: &OwnedFd, attach_type: u32, flags: u32) -> OwnedFd {
    host.run(|| {
        let index = nix::net::if_::if_nametoindex("eth0").expect("hosts have eth0");
        let mut attributes = Attributes::default();
        attributes.fd(0, program);
        attributes.u32(4, index);
        attributes.u32(8, attach_type);
        attributes.u32(12, flags);
        bpf::descriptor(Command::LinkCreate, &mut attributes).expect("the program can be attached")
    })
}

fn program_id(program: &OwnedFd) -> u64 {
    let path = format!("/proc/self/fdinfo/{}", program.as_raw_fd());
    let text = std::fs::read_to_string(path).expect("a descriptor of ours");
    let id = text.lines().find_map(|line| line.strip_prefix("prog_id:"));
    id.and_then(|id| id.trim().parse().ok()).expect("the kernel says which program it is")
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
