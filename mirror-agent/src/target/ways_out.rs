//! The program that drops replies, at every interface by which one can leave: which that is, the kernel's routing tables
//! decide for each reply, and they can change.
//!
//! What leaves by a VLAN, a bridge or the like leaves by an interface below it, too, and is seen there. Tunnels have a program
//! of their own, as their packets have no Ethernet header: behind them, these may be encrypted.
//!
//! `WAYS` says by which interfaces replies are seen. No connection is opened whose way back is by another: one that came
//! later, or one whose frames begin with something else. Connections that are open are given up when their way changes to
//! such an interface.

use std::iter;

use anyhow::Result;
use aya::Ebpf;

use crate::{
    kernel::{
        attach::{self, before, hook::Hook},
        maps,
        pins::{Attachment, LINK},
    },
    net::{
        netlink::{Interface, Leaving, Network},
        veth,
    },
};

/// How the hooks' names begin.
const PIN: &str = "egress_";
/// The program where there is no Ethernet header.
const TUNNEL: &str = "target_tunnel";

/// Attaches the program of `hook` to the egress of `own`, and then of all other interfaces, and says so to the programs.
///
/// # Errors
///
/// Where the kernel refuses it at an interface that is there.
pub async fn cover(
    ebpf: &mut Ebpf,
    attachment: &Attachment,
    network: &Network,
    (own, hook): (&Interface, &Hook<'_>),
) -> Result<()> {
    let (lowest, mut covered) = others(network, own.index).await?;
    for name in attachment.names()? {
        // Of interfaces that went.
        let index = name.strip_prefix(LINK).and_then(|name| name.strip_prefix(PIN));
        if let Some(index) = index.and_then(|index| index.parse().ok())
            && !lowest.iter().any(|(it, _)| it.index == index)
        {
            attachment.remove_hook(&pin(index))?;
        }
    }
    let pins: Vec<String> = lowest.iter().map(|(other, _)| pin(other.index)).collect();
    let others = lowest.iter().zip(&pins).map(|((other, leaving), pin)| {
        let program = if *leaving == Leaving::Ip { TUNNEL } else { hook.program };
        (other.index, Hook { program, interface: &other.name, pin, ..*hook })
    });
    for (index, hook) in iter::once((own.index, *hook)).chain(others) {
        before::refuse(network, &hook, index).await?;
        match attach::attach(ebpf, attachment, &hook) {
            Ok(_) => covered.push(index),
            // It went meanwhile.
            Err(_) if index != own.index && network.link(hook.interface).await?.is_none() => {}
            Err(error) => return Err(error),
        }
    }
    maps::ways(attachment)?.replace(&covered)
}

/// What to say of interfaces by which replies can leave, and at which the target at the interface with the index `own` has
/// no program; nothing where there are none.
///
/// # Errors
///
/// Where links or the kernel's table cannot be read.
pub async fn warning(
    attachment: &Attachment,
    network: &Network,
    own: u32,
) -> Result<Option<String>> {
    let covered = maps::ways(attachment)?.keys()?;
    let (lowest, _) = others(network, own).await?;
    let later = lowest.into_iter().filter(|(it, _)| !covered.contains(&it.index));
    let later = later.map(|(it, _)| it.name).collect::<Vec<_>>().join(", ");
    Ok((!later.is_empty()).then(|| {
        format!(
            "{later}: came after drop; connections whose replies would leave by it are not opened; run drop again"
        )
    }))
}

/// What to say of an interface that takes packets only from where the way back is (`rp_filter` 1), where this host has other
/// interfaces: the kernel drops copies there, behind the programs.
///
/// # Errors
///
/// Where links cannot be read.
pub async fn reverse_path(network: &Network, own: &Interface) -> Result<Option<String>> {
    let mode = |name: &str| {
        let path = format!("/proc/sys/net/ipv4/conf/{name}/rp_filter");
        std::fs::read_to_string(path).ok().and_then(|mode| mode.trim().parse::<u32>().ok())
    };
    // The kernel takes the larger one (`IN_DEV_RPFILTER`).
    let is_strict = mode("all").max(mode(&own.name)) == Some(1);
    let (lowest, _) = others(network, own.index).await?;
    let name = &own.name;
    Ok((is_strict && lowest.iter().any(|(it, _)| it.up)).then(|| {
        format!(
            "{name}: rp_filter is 1: the kernel drops IPv4 copies of clients to whom another interface leads; `ip route get \
             CLIENT` has to name {name}"
        )
    }))
}

fn pin(index: u32) -> String {
    format!("{PIN}{index}")
}

/// All interfaces but `own` and the mirror's devices by which what leaves can be read: the lowest ones, and the indexes of
/// those that are stacked on these.
async fn others(network: &Network, own: u32) -> Result<(Vec<(Interface, Leaving)>, Vec<u32>)> {
    let mut found = network.interfaces().await?;
    found.retain(|(it, leaving)| {
        it.index != own && !veth::is_ours(&it.name) && *leaving != Leaving::Other
    });
    let (stacked, lowest): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(_, leaving)| *leaving == Leaving::Stacked);
    Ok((lowest, stacked.into_iter().map(|(it, _)| it.index).collect()))
}
