//! Where filters are, as the names of pins say, and the kernel.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use aya::programs::{
    TcAttachType,
    tc::{SchedClassifierLink, TcHandle},
};
use futures_util::TryStreamExt as _;
use rtnetlink::packet_route::tc::TcMessage;

use crate::{
    kernel::pins::{self, Attachment},
    net::netlink::Network,
};

/// How the names of pins begin.
pub(crate) const PIN: &str = pins::FILTER;
/// Priority of a program that runs before others, and of one that runs behind a source's. Others seldom choose these.
pub(crate) const FIRST: u16 = 7;
pub(super) const BEHIND_SOURCE: u16 = FIRST + 1;

/// Where a filter is, as its pin's name says.
pub(super) struct Filter {
    pub(super) hook: String,
    pub(super) ifindex: u32,
    pub(super) side: TcAttachType,
    pub(super) priority: u16,
    pub(super) handle: u32,
    pub(super) made: bool,
}

impl Filter {
    pub(super) fn parse(name: &str) -> Option<Self> {
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

    pub(super) fn name(&self) -> String {
        let Self { hook, ifindex, priority, handle, .. } = self;
        let side = if self.side == TcAttachType::Ingress { "in" } else { "out" };
        let qdisc = if self.made { "made" } else { "found" };
        format!("{PIN}{hook}__{ifindex}_{side}_{priority}_{handle}_{qdisc}")
    }

    /// Whether it is the filter that `other` is.
    pub(super) fn is_at(&self, other: &Self) -> bool {
        let place = |it: &Self| (it.ifindex, it.side, it.priority, it.handle);
        place(self) == place(other)
    }

    /// The filter as aya knows it, which takes it away when this is dropped.
    pub(super) fn link(&self, interface: &str) -> Result<SchedClassifierLink> {
        let handle = TcHandle::from(self.handle);
        SchedClassifierLink::attached(interface, self.side, self.priority, handle, None)
            .with_context(|| format!("cannot find the filter at {interface}"))
    }
}

/// All of an attachment, with their pins.
pub(super) fn filters(attachment: &Attachment) -> Result<Vec<(PathBuf, Filter)>> {
    let names = attachment.names()?;
    let known = names.iter().filter_map(|name| Some((attachment.map(name), Filter::parse(name)?)));
    Ok(known.collect())
}

/// All filters of clsact at this side of the interface, of anybody.
pub(super) async fn list(
    network: &Network,
    ifindex: u32,
    side: TcAttachType,
) -> Result<Vec<TcMessage>> {
    let index = i32::try_from(ifindex).context("interface index")?;
    let get = network.handle.traffic_filter(index).get();
    let get = if side == TcAttachType::Egress { get.egress() } else { get.ingress() };
    get.execute().try_collect().await.map_err(|error| anyhow!("cannot list filters: {error}"))
}

/// A filter's priority (kernel: `tc_get_tfilter`, the upper half of `tcm_info`).
pub(super) fn priority(filter: &TcMessage) -> u16 {
    (filter.header.info >> 16) as u16
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
