//! What the kernel has: programs, BPF maps, pins, hooks.
//!
//! | module | what it is responsible for |
//! |---|---|
//! | [`requirements`] | what the kernel and the user must be able to do |
//! | [`pins`] | where programs and maps live on the BPF file system, and the lock |
//! | [`object`] | the kernel objects: load, settings, maps |
//! | [`hooks`] | programs on interfaces: attach, replace in place |
//! | [`clsact`] | the same before Linux 6.6, by filters |
//! | [`xdp`] | XDP programs on interfaces |
//! | [`fallback`] | what is used where a kernel or a driver lacks something |
//! | [`packet_trace`] | what the programs say of packets |

pub mod clsact;
pub mod fallback;
pub mod hooks;
pub mod object;
pub mod packet_trace;
pub mod pins;
pub mod requirements;
pub mod xdp;
