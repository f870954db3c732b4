//! A kernel program by itself: one packet in, what the program made of it out
//! (`BPF_PROG_TEST_RUN`; kernel: `bpf_prog_test_run_skb`).
//!
//! Clones are really sent, and helpers change the packet, but nobody carries out the verdict.

use std::io;

use super::{
    Program,
    syscall::{Attributes, Command, call},
};

/// A packet on its way into a program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Input<'a> {
    /// From the Ethernet header.
    pub frame: &'a [u8],
    /// `skb->mark`.
    pub mark: u32,
    /// First word of the control buffer.
    pub token: u32,
    /// Payload of each segment on the wire that the packet stands for; 0 for one as it is.
    pub gso_size: u32,
    /// The interface it is at.
    pub ifindex: u32,
}

/// What a program did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The packet as the program left it.
    pub frame: Vec<u8>,
    /// What the program returned.
    pub verdict: i32,
    /// `skb->mark`.
    pub mark: u32,
    /// First word of the control buffer.
    pub token: u32,
}

impl Program {
    /// Runs the program once, on the calling thread's host. Fails where the kernel does not take the packet.
    pub fn run(&self, input: &Input<'_>) -> io::Result<Output> {
        let (mut context, mut frame) = (context(input), vec![0u8; ROOM]);
        let mut attributes = self.attributes(input.frame);
        attributes.u32(12, u32::try_from(frame.len()).expect("room for a page"));
        attributes.pointer(24, frame.as_mut_ptr());
        attributes.u32(32, 1);
        attributes.u32(40, CONTEXT);
        attributes.u32(44, CONTEXT);
        attributes.pointer(48, context.as_mut_ptr());
        attributes.pointer(56, context.as_mut_ptr());
        call(Command::ProgramTestRun, &mut attributes)?;
        frame.truncate(attributes.get(12) as usize);
        Ok(Output {
            frame,
            verdict: attributes.get(4).cast_signed(),
            mark: context[MARK],
            token: context[CB],
        })
    }

    /// Runs the program `times` times on one packet, on the calling thread's CPU; nanoseconds for
    /// each. The packet must be one that the program leaves as it is.
    pub fn time(&self, frame: &[u8], times: u32) -> io::Result<u32> {
        let mut attributes = self.attributes(frame);
        attributes.u32(32, times);
        call(Command::ProgramTestRun, &mut attributes)?;
        Ok(attributes.get(36))
    }

    /// `struct { … } test` with program and packet.
    fn attributes(&self, frame: &[u8]) -> Attributes {
        let mut attributes = Attributes::default();
        attributes.fd(0, &self.0);
        attributes.u32(8, u32::try_from(frame.len()).expect("a packet"));
        attributes.pointer(16, frame.as_ptr());
        attributes
    }
}

/// Packets are smaller than a page.
const ROOM: usize = 8192;
/// Size of `struct __sk_buff`, and words of it.
const CONTEXT: u32 = 192;
const MARK: usize = 2;
const IFINDEX: usize = 10;
const CB: usize = 12;
const GSO_SIZE: usize = 44;

fn context(input: &Input<'_>) -> [u32; CONTEXT as usize / 4] {
    let mut words = [0; CONTEXT as usize / 4];
    words[MARK] = input.mark;
    words[IFINDEX] = input.ifindex;
    words[CB] = input.token;
    words[GSO_SIZE] = input.gso_size;
    words
}
