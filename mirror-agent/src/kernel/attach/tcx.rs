//! Attaching by pinned tcx links, which outlive the agent and can be given a new program without a gap.

use std::{error::Error, io};

use anyhow::{Context as _, Result};
use aya::programs::{
    LinkOrder, SchedClassifier,
    links::{FdLink, PinnedLink},
    tc::{SchedClassifierLink, TcAttachOptions},
};

use super::hook::{Hook, Order};
use crate::kernel::pins::{self, Attachment, Role};

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
        match program.attach_to_link(link) {
            Ok(_) => return Ok(true),
            // Somebody took the program off, or the interface went.
            Err(error) if is_dead(&error) => pins::remove_file(&path)?,
            Err(error) => return Err(error).with_context(failed),
        }
    }
    let mut attach = |order| {
        program.attach_with_options(hook.interface, hook.side, TcAttachOptions::TcxOrder(order))
    };
    let source = match hook.order {
        Order::First => None,
        Order::BehindSource => source_of(attachment),
    };
    let behind = source.and_then(|link| attach(LinkOrder::after_link(&link).ok()?).ok());
    let id = match behind {
        Some(id) => id,
        None => attach(LinkOrder::first()).with_context(failed)?,
    };
    let link: FdLink =
        program.take_link(id).with_context(failed)?.try_into().with_context(failed)?;
    link.pin(&path).with_context(|| format!("cannot pin {}", path.display()))?;
    Ok(false)
}

/// The link of the source at the same interface. One that is dead has no place.
fn source_of(attachment: &Attachment) -> Option<SchedClassifierLink> {
    let path = attachment.of_role(Role::Source).link("ingress");
    let link = PinnedLink::from_pin(path).ok()?;
    SchedClassifierLink::try_from(FdLink::from(link)).ok()
}

/// Whether the kernel says that the link leads nowhere any more (kernel: `tcx_link_update`).
fn is_dead(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.raw_os_error() == Some(nix::errno::Errno::ENOLINK as i32);
        }
        cause = error.source();
    }
    false
}
