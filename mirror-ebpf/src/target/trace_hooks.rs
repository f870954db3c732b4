//! What `--debug-packets` says at the new host's hooks.

use mirror_common::abi::{LABEL, TargetCounter};
use mirror_ebpf::runtime::trace::Hook;

/// Copies, and what direct clients send.
pub struct Ingress;
/// Replies.
pub struct Egress;

impl Hook for Ingress {
    const INDEX: u32 = 0;
    const NAME: &'static str = "target ingress";

    #[inline(always)]
    fn label(counter: u32) -> Option<[u8; LABEL]> {
        label(counter)
    }
}

impl Hook for Egress {
    // The two do not run nested.
    const INDEX: u32 = Ingress::INDEX;
    const NAME: &'static str = "target egress";

    #[inline(always)]
    fn label(counter: u32) -> Option<[u8; LABEL]> {
        label(counter)
    }
}

#[inline(always)]
fn label(counter: u32) -> Option<[u8; LABEL]> {
    if counter == TargetCounter::IngressOther as u32 || counter == TargetCounter::EgressOther as u32
    {
        return None;
    }
    TargetCounter::LABELS.get(counter as usize).copied()
}
