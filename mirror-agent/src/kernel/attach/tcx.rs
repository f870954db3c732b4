//! Attaching by pinned tcx links, which outlive the agent and can be given a new program without a gap.

use anyhow::{Context as _, Result};
use aya::programs::{
    LinkOrder, SchedClassifier,
    links::{FdLink, PinnedLink},
    tc::{SchedClassifierLink, TcAttachOptions},
};

use super::hook::Hook;
use crate::kernel::pins::{self, Attachment};

/// How the names of pins begin.
pub(super) const PIN: &str = pins::LINK;

/// Attaches `program`, or gives it to the link that this hook has. Returns whether it has one.
pub(super) fn attach(
    program: &mut SchedClassifier,
    attachment: &Attachment,
    hook: &Hook<'_>,
) -> Result<bool> {
    let path = attachment.link(hook.pin);
    let failed = || format!("cannot attach {} to {}", hook.program, hook.interface);

    if !pins::is_missing(&path) {
        let link = PinnedLink::from_pin(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        let link = SchedClassifierLink::try_from(FdLink::from(link)).with_context(failed)?;
        program.attach_to_link(link).with_context(failed)?;
        return Ok(true);
    }
    let order = if hook.first { LinkOrder::first() } else { LinkOrder::last() };
    let id = program
        .attach_with_options(hook.interface, hook.side, TcAttachOptions::TcxOrder(order))
        .with_context(failed)?;
    let link: FdLink =
        program.take_link(id).with_context(failed)?.try_into().with_context(failed)?;
    link.pin(&path).with_context(|| format!("cannot pin {}", path.display()))?;
    Ok(false)
}
