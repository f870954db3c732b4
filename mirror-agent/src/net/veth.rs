//! Veth pairs of ours: made, found, and taken away.
//!
//! The near end has its name as its alias, too (`ip link` shows it): by that a pair is found that somebody renamed.

use anyhow::{Context as _, Result, bail};
use rtnetlink::{LinkUnspec, LinkVeth, packet_route::link::LinkAttribute};

use super::netlink::Network;

/// Makes the pair with these names, or finds it. Returns the indexes of both ends, and whether they are new.
///
/// # Errors
///
/// Where the kernel refuses, or one end is missing.
pub async fn ensure(
    network: &Network,
    (near, far): (&str, &str),
    mtu: u32,
) -> Result<([u32; 2], bool)> {
    let fresh = network.link(near).await?.is_none();
    if fresh {
        // What has another name by now would stay behind.
        remove(network, near).await?;
        network
            .handle
            .link()
            .add(LinkVeth::new(near, far).mtu(mtu).build())
            .execute()
            .await
            .with_context(|| format!("cannot make the veth pair {near}, {far}"))?;
    }
    let mut indexes = [0; 2];
    for (name, index) in [near, far].into_iter().zip(&mut indexes) {
        let Some(link) = network.link(name).await? else {
            bail!("{name} is gone, which is one end of a veth pair; detach and attach again");
        };
        *index = link.header.index;
        silence_ipv6(name);
    }
    let alias = LinkAttribute::IfAlias(alias(near));
    let named = LinkUnspec::new_with_index(indexes[0]).append_extra_attribute(alias).build();
    if let Err(error) = network.handle.link().set(named).execute().await {
        log::debug!("{near} has no alias: {error}");
    }
    Ok((indexes, fresh))
}

/// What is noted at a near end that we named so.
fn alias(near: &str) -> String {
    format!("mirror-agent {near}")
}

/// The index of the pair's near end, whatever its name is by now.
///
/// # Errors
///
/// Where the kernel does not list links.
pub async fn find(network: &Network, near: &str) -> Result<Option<u32>> {
    if let Some(link) = network.link(near).await? {
        return Ok(Some(link.header.index));
    }
    let alias = LinkAttribute::IfAlias(alias(near));
    let links = network.links().await?;
    Ok(links.iter().find(|link| link.attributes.contains(&alias)).map(|link| link.header.index))
}

/// Takes the pair away whose near end has this name, or had it.
///
/// # Errors
///
/// Where the kernel refuses.
pub async fn remove(network: &Network, near: &str) -> Result<()> {
    if let Some(index) = find(network, near).await? {
        network
            .handle
            .link()
            .del(index)
            .execute()
            .await
            .with_context(|| format!("cannot remove the veth pair {near}"))?;
    }
    Ok(())
}

/// Keeps IPv6 from sending by itself. Best effort: where it fails, a few packets more are dropped.
fn silence_ipv6(name: &str) {
    let path = format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6");
    if let Err(error) = std::fs::write(&path, "1") {
        log::debug!("cannot write {path}: {error}");
    }
}

/// How the names of copy devices begin.
pub const COPY: &str = "macopy";
/// How those of hold devices do.
pub const HOLD: &str = "mahold";

/// Names of the pair of this kind that belongs to the interface with index `ifindex`: near end, far end.
pub fn names(kind: &str, ifindex: u32) -> (String, String) {
    (format!("{kind}{ifindex}"), format!("{kind}{ifindex}p"))
}

/// Whether an interface with this name is one end of a pair of ours.
pub fn is_ours(name: &str) -> bool {
    [COPY, HOLD].into_iter().any(|kind| {
        let index = name.strip_prefix(kind).map(|rest| rest.strip_suffix('p').unwrap_or(rest));
        index.is_some_and(|index| index.parse::<u32>().is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_pairs_are_known_by_name() {
        for kind in [COPY, HOLD] {
            let (near, far) = names(kind, 12);
            assert!(is_ours(&near) && is_ours(&far));
        }
        for other in ["eth0", "macopy", "mahold1x", "maholdp", "mahold-1"] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
