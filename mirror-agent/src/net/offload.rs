//! Offloads of an interface, by ethtool's netlink family (kernel: Documentation/networking/ethtool-netlink.rst).

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use ethtool::{EthtoolAttr, EthtoolFeatureAttr};
use futures_util::TryStreamExt as _;

/// Those that are on at `interface`, by the kernel's names.
///
/// # Errors
///
/// Where the kernel does not say.
pub async fn active(interface: &str) -> Result<BTreeSet<String>> {
    let (connection, mut handle, _) =
        ethtool::new_connection().context("cannot open a netlink socket")?;
    tokio::spawn(connection);
    let messages: Vec<_> =
        handle.feature().get(Some(interface)).execute().await?.try_collect().await?;
    let attributes = messages.into_iter().flat_map(|message| message.payload.nlas);
    let active = attributes.filter_map(|attribute| match attribute {
        EthtoolAttr::Feature(EthtoolFeatureAttr::Active(bits)) => Some(bits),
        _ => None,
    });
    Ok(active.flatten().filter(|bit| bit.value).map(|bit| bit.name).collect())
}
