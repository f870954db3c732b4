//! What crosses the border between kernel and agent: map keys and values, counters, marks.

mod counter;
mod flow;
mod mapping;
pub mod mark;
mod meta;
pub mod served;
#[cfg(feature = "user")]
mod user;

pub use counter::{LABEL, MappingCounter, SourceCounter, TargetCounter};
pub use flow::{CopySide, Finished, Flow, FlowKey, ReplySide};
pub use mapping::{MAX_FAN_OUT, MAX_MAPPINGS, MAX_REDUNDANCY, Mapping, PortSlot};
pub use meta::Meta;

/// An address as four words whose memory is in network byte order; IPv4 as `::ffff:a.b.c.d`
/// (RFC 4291, 2.5.5.2). Words, since the BPF machine copies those and not bytes.
pub type Address = [u32; 4];

/// The IPv4 address `v4`, a word in network byte order, in the form that map keys use.
#[inline(always)]
pub const fn v4_mapped(v4: u32) -> Address {
    [0, 0, 0x0000_ffffu32.to_be(), v4]
}
