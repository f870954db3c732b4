//! Programs and maps in the kernel, by the `bpf` system call: those that the lab makes, which are gone
//! with their descriptors, and the mirror's own.

mod assembler;
mod map;
mod program;
mod query;
mod run;
mod syscall;

pub(crate) use assembler::{Assembler, CONTEXT, IFINDEX_IN, MARK, R0, R1, R2, R3, R7, helper};
pub(crate) use map::Map;
pub(crate) use program::{Hook, Link, TCX_DROP, TCX_NEXT, TCX_PASS, XDP_PASS};
pub use {
    program::Program,
    query::{Attached, tcx},
    run::{Input, Output},
};
