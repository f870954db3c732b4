//! What the kernel has: programs, BPF maps, pins, hooks.
//!
//! | module | what it is responsible for |
//! |---|---|
//! | [`requirements`] | what the kernel and the user must be able to do |
//! | [`role`] | what a host can be to a mirror |
//! | [`failure`] | errors that are told from others |
//! | `bpf_fs` | the BPF file system: mounting one, and unmounting that one |
//! | [`pins`] | where programs and maps live on the BPF file system, and the lock |
//! | [`object`] | the kernel objects: loading them |
//! | `syscall` | what aya has no function for |
//! | [`settings`] | values that are fixed when programs are loaded |
//! | [`maps`] | the pinned BPF maps, by name and type |
//! | [`meta`] | what is remembered of an attachment |
//! | [`identity`] | whose an attachment is: in which network namespace, at which interface |
//! | `link` | pinned links: which interface they are attached to, and ending them |
//! | [`attach`] | programs on interfaces: attach, replace in place |
//! | [`clock`] | the kernel's clocks |
//! | [`fallback`] | what is used where a kernel or a driver lacks something |
//! | [`packet_trace`] | what the programs say of packets |

pub mod attach;
mod batch;
mod bpf_fs;
pub mod clock;
pub mod failure;
pub mod fallback;
pub mod identity;
mod link;
pub mod maps;
pub mod meta;
pub mod object;
pub mod packet_trace;
pub mod pins;
pub mod requirements;
pub mod role;
pub mod settings;
mod syscall;
