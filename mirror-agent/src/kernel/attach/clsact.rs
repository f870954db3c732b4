//! Attaching before Linux 6.6, which has no tcx: as filters of the `clsact` queueing discipline.
//!
//! Such a filter has no link to pin. So the program is pinned instead, by a name that says where its
//! filter is: `filter_<hook>__<ifindex>_<in|out>_<priority>_<handle>_<made|found>`, of which the last
//! says whether the discipline is ours, too. Other versions read these names, so that they stay as they are.

mod filter;
pub mod strays;

use anyhow::{Context as _, Result};
use aya::programs::{
    SchedClassifier, TcAttachType,
    tc::{NlOptions, TcAttachOptions, TcHandle, qdisc_add_clsact},
};
use rtnetlink::packet_route::tc::TcHandle as Parent;

use self::filter::{BEHIND_SOURCE, Filter, filters, list, priority};
pub(crate) use self::filter::{FIRST, PIN};
use crate::{
    kernel::{
        attach::hook::{Hook, Order},
        pins::{Attachment, remove_file},
    },
    net::netlink::Network,
};

/// Attaches `program` as a filter, or gives it to the filter that this hook has.
pub(crate) fn attach(
    program: &mut SchedClassifier,
    attachment: &Attachment,
    hook: &Hook<'_>,
) -> Result<bool> {
    let failed = || format!("cannot attach {} to {}", hook.program, hook.interface);
    let known = filters(attachment)?.into_iter().find(|(_, filter)| filter.hook == hook.pin);
    if let Some((path, filter)) = known {
        let link = filter.link(hook.interface)?;
        let id = program.attach_to_link(link).with_context(failed)?;
        // Dropped, it would take the filter away.
        std::mem::forget(program.take_link(id).with_context(failed)?);
        remove_file(&path)?;
        program.pin(&path).with_context(failed)?;
        return Ok(true);
    }
    let made = match qdisc_add_clsact(hook.interface) {
        Ok(()) => true,
        // The discipline, or `ingress`, which is half of it, is there already.
        Err(error) => {
            log::debug!("{}: no new clsact: {error}", hook.interface);
            false
        }
    };
    let priority = match hook.order {
        Order::First => FIRST,
        Order::BehindSource => BEHIND_SOURCE,
    };
    let options = NlOptions { priority, handle: TcHandle::AUTO_ASSIGN, classid: None };
    let id = program
        .attach_with_options(hook.interface, hook.side, TcAttachOptions::Netlink(options))
        .with_context(failed)?;
    let link = program.take_link(id).with_context(failed)?;
    let filter = Filter {
        hook: hook.pin.to_owned(),
        ifindex: nix::net::if_::if_nametoindex(hook.interface).with_context(failed)?,
        side: hook.side,
        priority: link.priority().with_context(failed)?,
        handle: link.handle().with_context(failed)?.into(),
        made,
    };
    program.pin(attachment.map(&filter.name())).with_context(failed)?;
    std::mem::forget(link);
    Ok(false)
}

/// Takes all filters of an attachment away, and the disciplines that were made for them.
pub async fn remove(network: &Network, attachment: &Attachment) -> Result<()> {
    let mut made = Vec::new();
    for (path, filter) in filters(attachment)? {
        // An interface that is gone took its filters along.
        if let Ok(name) = network.interface_name(filter.ifindex).await {
            drop(filter.link(&name)?);
            if filter.made {
                made.push(filter.ifindex);
            }
        }
        remove_file(&path)?;
    }
    strays::remove(network, attachment).await?;
    for name in attachment.names()?.iter().filter(|name| name.starts_with(PIN)) {
        if Filter::parse(name).is_none() {
            log::warn!(
                "{}: where the filter of {name} is, this version cannot tell; `tc filter show dev {0} ingress` \
                 (and egress) shows it if it is left",
                attachment.interface
            );
        }
    }
    for ifindex in made {
        if !in_use(network, ifindex).await? {
            let index = i32::try_from(ifindex).context("interface index")?;
            let mut request = network.handle.qdisc().del(index);
            request.message_mut().header.parent = Parent::CLSACT;
            match request.execute().await {
                // Somebody was faster.
                Err(rtnetlink::Error::NetlinkError(error))
                    if error.raw_code() == -(nix::errno::Errno::ENOENT as i32) => {}
                result => result.context("cannot remove clsact")?,
            }
        }
    }
    Ok(())
}

/// The priority of the first filter at this interface's egress that comes before ours.
pub(super) async fn first_before_ours(network: &Network, ifindex: u32) -> Result<Option<u16>> {
    let filters = list(network, ifindex, TcAttachType::Egress).await?;
    Ok(filters.iter().map(priority).filter(|priority| *priority < FIRST).min())
}

/// Whether clsact at this interface has a filter, of anybody.
async fn in_use(network: &Network, ifindex: u32) -> Result<bool> {
    for side in [TcAttachType::Ingress, TcAttachType::Egress] {
        if !list(network, ifindex, side).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
