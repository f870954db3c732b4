//! Attaching before Linux 6.6, which has no tcx: as filters of the `clsact` queueing discipline.
//!
//! Such a filter has no link to pin. So the program is pinned instead, by a name that says where its
//! filter is: `filter_<hook>__<ifindex>_<in|out>_<priority>_<handle>_<made|found>`, of which the last
//! says whether the discipline is ours, too. Other versions read these names, so that they stay as they are.

pub mod strays;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use aya::programs::{
    SchedClassifier, TcAttachType,
    tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle, qdisc_add_clsact},
};
use rtnetlink::packet_route::tc::TcHandle as Parent;

use crate::{
    kernel::{
        attach::hook::Hook,
        pins::{self, Attachment, remove_file},
    },
    net::netlink::Network,
};

/// How the names of pins begin.
pub(crate) const PIN: &str = pins::FILTER;
/// Priority of a program that runs before others, and of one that runs after them. Others seldom choose
/// these.
const FIRST: u16 = 7;
const LAST: u16 = 64_007;

/// Where a filter is, as its pin's name says.
struct Filter {
    hook: String,
    ifindex: u32,
    side: TcAttachType,
    priority: u16,
    handle: u32,
    made: bool,
}

impl Filter {
    fn parse(name: &str) -> Option<Self> {
        let (hook, place) = name.strip_prefix(PIN)?.split_once("__")?;
        let mut parts = place.split('_');
        let mut next = || parts.next();
        Some(Self {
            hook: hook.to_owned(),
            ifindex: next()?.parse().ok()?,
            side: if next()? == "in" { TcAttachType::Ingress } else { TcAttachType::Egress },
            priority: next()?.parse().ok()?,
            handle: next()?.parse().ok()?,
            made: next()? == "made",
        })
    }

    fn name(&self) -> String {
        let Self { hook, ifindex, priority, handle, .. } = self;
        let side = if self.side == TcAttachType::Ingress { "in" } else { "out" };
        let qdisc = if self.made { "made" } else { "found" };
        format!("{PIN}{hook}__{ifindex}_{side}_{priority}_{handle}_{qdisc}")
    }

    /// Whether it is the filter that `other` is.
    fn is_at(&self, other: &Self) -> bool {
        let place = |it: &Self| (it.ifindex, it.side, it.priority, it.handle);
        place(self) == place(other)
    }

    /// The filter as aya knows it, which takes it away when this is dropped.
    fn link(&self, interface: &str) -> Result<SchedClassifierLink> {
        let handle = TcHandle::from(self.handle);
        SchedClassifierLink::attached(interface, self.side, self.priority, handle, None)
            .with_context(|| format!("cannot find the filter at {interface}"))
    }
}

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
    let priority = if hook.first { FIRST } else { LAST };
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

/// Whether clsact at this interface has a filter, of anybody.
async fn in_use(network: &Network, ifindex: u32) -> Result<bool> {
    for side in [TcAttachType::Ingress, TcAttachType::Egress] {
        if !strays::list(network, ifindex, side).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn filters(attachment: &Attachment) -> Result<Vec<(PathBuf, Filter)>> {
    let names = attachment.names()?;
    let known = names.iter().filter_map(|name| Some((attachment.map(name), Filter::parse(name)?)));
    Ok(known.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_pins_say_where_filters_are() {
        for name in ["filter_ingress__3_in_7_1_made", "filter_egress_12__12_out_64007_2_found"] {
            assert_eq!(Filter::parse(name).map(|filter| filter.name()).as_deref(), Some(name));
        }
        for name in ["link_ingress", "filter_ingress", "filter_ingress__x_in_7_1_made", "META"] {
            assert!(Filter::parse(name).is_none(), "{name}");
        }
    }
}
