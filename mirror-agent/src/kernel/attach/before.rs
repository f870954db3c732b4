//! Programs of somebody else that would come before ours: with a final verdict, they let out what ours would keep back.
//!
//! By tcx, ours is put first. By clsact, filters of a smaller priority come first, and so does every program by tcx.

use anyhow::{Result, bail};
use aya::programs::{SchedClassifier, TcAttachType};

use super::{
    clsact,
    hook::{Hook, Mechanism},
};
use crate::net::netlink::Network;

/// Refuses to attach `hook`, which is for an egress, to the interface with this index behind others.
///
/// # Errors
///
/// Where there are any, or filters cannot be listed.
pub async fn refuse(network: &Network, hook: &Hook<'_>, ifindex: u32) -> Result<()> {
    if hook.mechanism != Mechanism::Clsact {
        return Ok(());
    }
    let interface = hook.interface;
    if let Some(priority) = clsact::first_before_ours(network, ifindex).await? {
        bail!(
            "{interface}: a filter of priority {priority} at egress comes before the mirror's, and can let replies out; give it \
             a priority above {}, or take it off (`tc filter show dev {interface} egress`)",
            clsact::FIRST
        );
    }
    let theirs = SchedClassifier::query_tcx(interface, TcAttachType::Egress);
    if theirs.is_ok_and(|(_, programs)| !programs.is_empty()) {
        bail!(
            "{interface}: a program by tcx at egress comes before filters of clsact, and can let replies out; leave --hook \
             clsact out (`bpftool net show dev {interface}`)"
        );
    }
    Ok(())
}
