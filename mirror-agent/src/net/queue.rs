//! How packets queue for an interface: its queueing discipline, and the speed of its link.

use anyhow::{Context as _, Result};
use ethtool::{EthtoolAttr, EthtoolLinkModeAttr};
use futures_util::TryStreamExt as _;
use rtnetlink::{
    packet_core::Nla as _,
    packet_route::tc::{TcAttribute, TcHandle, TcMessage, TcOption},
};

use crate::net::netlink::Network;

/// `TCA_TBF_PARMS` and `TCA_TBF_RATE64` (`include/uapi/linux/pkt_sched.h`).
const TBF_PARAMETERS: u16 = 1;
const TBF_RATE_64: u16 = 4;

/// What an interface's packets pass on their way out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// The root's queueing discipline, like `fq_codel`.
    pub root: String,
    /// Those below it, each once: of `mq` those of its queues, of `tbf` what it was given instead of its own.
    pub below: Vec<String>,
    /// What the root lets out, in bits a second, where it is a `tbf`.
    pub rate: Option<u64>,
    /// The speed of the link, in bits a second; `None` where it has none, or it is down.
    pub link: Option<u64>,
}

impl Queue {
    /// The one of an interface, with the speed of its link.
    ///
    /// # Errors
    ///
    /// Where the kernel does not list its queues.
    pub async fn of(network: &Network, (name, index): (&str, u32)) -> Result<Self> {
        let mut queue = Self::without_link(network, index).await?;
        queue.link = match link_speed(name).await {
            Ok(speed) => speed,
            Err(error) => {
                log::debug!("{name}: the link's speed is not known ({error:#})");
                None
            }
        };
        Ok(queue)
    }

    /// The one of the interface with this index, which may have no link.
    ///
    /// # Errors
    ///
    /// As [`Self::of`].
    pub async fn without_link(network: &Network, index: u32) -> Result<Self> {
        let index = i32::try_from(index).context("interface index")?;
        let queues: Vec<TcMessage> =
            network.handle.qdisc().get().index(index).execute().try_collect().await?;
        let of_interface: Vec<&TcMessage> =
            queues.iter().filter(|queue| queue.header.index == index).collect();
        Ok(Self::from_list(&of_interface))
    }

    fn from_list(queues: &[&TcMessage]) -> Self {
        let Some(root) = queues.iter().find(|queue| queue.header.parent == TcHandle::ROOT) else {
            return Self::default();
        };
        let is_below = |queue: &&&TcMessage| {
            queue.header.parent.major == root.header.handle.major
                && queue.header.parent != TcHandle::ROOT
        };
        let mut below: Vec<String> =
            queues.iter().filter(is_below).map(|queue| kind(queue)).collect();
        below.sort_unstable();
        below.dedup();
        let kind = kind(root);
        let rate = if kind == "tbf" { tbf_rate(root) } else { None };
        Self { root: kind, below, rate, link: None }
    }
}

fn kind(queue: &TcMessage) -> String {
    let found = queue.attributes.iter().find_map(|attribute| match attribute {
        TcAttribute::Kind(kind) => Some(kind.clone()),
        _ => None,
    });
    found.unwrap_or_default()
}

/// In bits a second.
fn tbf_rate(queue: &TcMessage) -> Option<u64> {
    let options = queue.attributes.iter().find_map(|attribute| match attribute {
        TcAttribute::Options(options) => Some(options),
        _ => None,
    })?;
    // Of a kind that the library does not know, all of them in one.
    let all = options.iter().find_map(|option| match option {
        TcOption::Other(other) => {
            let mut bytes = vec![0; other.value_len()];
            other.emit_value(&mut bytes);
            Some(bytes)
        }
        _ => None,
    })?;
    // Behind what `struct tc_tbf_qopt` begins with, a `struct tc_ratespec`, whose last word it is.
    let small =
        || Some(u32::from_ne_bytes(*attribute(&all, TBF_PARAMETERS)?.get(8..)?.first_chunk()?));
    let large = || Some(u64::from_ne_bytes(*attribute(&all, TBF_RATE_64)?.first_chunk()?));
    large().or_else(|| small().map(u64::from)).map(|bytes| bytes.saturating_mul(8))
}

/// The value of the first attribute of this kind.
fn attribute(mut all: &[u8], wanted: u16) -> Option<&[u8]> {
    const HEADER: usize = 4;
    while let [a, b, c, d, ..] = all {
        let length = usize::from(u16::from_ne_bytes([*a, *b]));
        if u16::from_ne_bytes([*c, *d]) == wanted {
            return all.get(HEADER..length);
        }
        all = all.get(length.max(HEADER).next_multiple_of(4)..)?;
    }
    None
}

/// By ethtool's netlink family, which answers for the network namespace that it is asked in.
async fn link_speed(interface: &str) -> Result<Option<u64>> {
    let (connection, mut handle, _) =
        ethtool::new_connection().context("cannot open a netlink socket")?;
    tokio::spawn(connection);
    let messages: Vec<_> =
        handle.link_mode().get(Some(interface)).execute().await?.try_collect().await?;
    let mut attributes = messages.into_iter().flat_map(|message| message.payload.nlas);
    let mbits = attributes.find_map(|attribute| match attribute {
        // `SPEED_UNKNOWN` is the largest number.
        EthtoolAttr::LinkMode(EthtoolLinkModeAttr::Speed(mbits)) if mbits != u32::MAX => {
            Some(mbits)
        }
        _ => None,
    });
    Ok(mbits.filter(|mbits| *mbits != 0).map(|mbits| u64::from(mbits) * 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_among_others() {
        let all = [[6u16.to_ne_bytes(), 1u16.to_ne_bytes(), *b"ab", [0; 2]].concat(), {
            [8u16.to_ne_bytes(), 4u16.to_ne_bytes(), *b"cd", *b"ef"].concat()
        }];
        let all = all.concat();
        assert_eq!(attribute(&all, 1), Some(&b"ab"[..]));
        assert_eq!(attribute(&all, 4), Some(&b"cdef"[..]));
        assert_eq!(attribute(&all, 2), None);
        // Cut short, and of no length.
        assert_eq!(attribute(&all[..12], 4), None);
        assert_eq!(attribute(&[0; 8], 2), None);
    }
}
