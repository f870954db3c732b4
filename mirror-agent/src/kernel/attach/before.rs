//! Programs of somebody else that would come before ours: with a final verdict, they let out what ours would keep back.
//!
//! By tcx, ours is put first. By clsact, filters of a smaller priority come first, and so does every program by tcx.

use anyhow::{Result, bail};
use aya::programs::{SchedClassifier, TcAttachType};

use super::{
    clsact,
    hook::{self, Hook, Mechanism},
};
use crate::{kernel::role::Role, net::netlink::Network};

/// What to say of programs by tcx that are before those of `role` at `interface`, as somebody put them there later.
pub fn warnings(interface: &str, role: Role) -> Vec<String> {
    use TcAttachType::{Egress, Ingress};
    let sides: &[(TcAttachType, &str)] = match role {
        Role::Source => &[(Ingress, "what it lets through is not copied")],
        Role::Target => &[
            (Ingress, "copies that it lets through are not served"),
            (Egress, "replies that it lets through leave"),
        ],
        Role::Guard => &[],
    };
    let said = |(side, what): &(TcAttachType, &str)| {
        let names = strangers(interface, *side)?.join(", ");
        let side = if *side == Ingress { "ingress" } else { "egress" };
        Some(format!(
            "{names} by tcx at {side} comes before the mirror's: {what}; put it behind (`bpftool net show dev {interface}`)"
        ))
    };
    sides.iter().filter_map(said).collect()
}

/// Names of programs by tcx before the first of ours, or of all, as filters come behind; `None` for none.
fn strangers(interface: &str, side: TcAttachType) -> Option<Vec<String>> {
    let (_, programs) = SchedClassifier::query_tcx(interface, side).ok()?;
    let ours = Role::ALL.map(hook::programs).concat();
    let names = programs.iter().map(|it| it.name_as_str().unwrap_or("a program").to_owned());
    let before: Vec<_> = names.take_while(|name| !ours.contains(&name.as_str())).collect();
    (!before.is_empty()).then_some(before)
}

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
