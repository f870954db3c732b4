//! Offloads of an interface that take seals off copies, by ethtool's netlink family (kernel:
//! Documentation/networking/ethtool-netlink.rst).

use anyhow::{Context as _, Result};
use ethtool::{EthtoolAttr, EthtoolFeatureAttr};
use futures_util::TryStreamExt as _;

/// The kernel's name of GRO by lists (`NETIF_F_GRO_FRAGLIST`).
const RX_GRO_LIST: &str = "rx-gro-list";

/// What has to be changed at `interface` before all copies are sealed, a line for each.
pub async fn warnings(interface: &str) -> Vec<String> {
    match has(interface, RX_GRO_LIST).await {
        Ok(false) => Vec::new(),
        Ok(true) => vec![format!(
            "{RX_GRO_LIST} is on: of TCP segments that arrive in a row, only the first copy is sealed, \
             and the new host's stack answers the others to the client; run `ethtool -K {interface} \
             {RX_GRO_LIST} off`"
        )],
        Err(error) => {
            log::info!("{interface}: its offloads are not known: {error:#}");
            Vec::new()
        }
    }
}

/// Whether the feature `name` is on at `interface`.
async fn has(interface: &str, name: &str) -> Result<bool> {
    let (connection, mut handle, _) =
        ethtool::new_connection().context("cannot open a netlink socket")?;
    tokio::spawn(connection);
    let messages: Vec<_> =
        handle.feature().get(Some(interface)).execute().await?.try_collect().await?;
    let mut attributes = messages.into_iter().flat_map(|message| message.payload.nlas);
    Ok(attributes.any(|attribute| match attribute {
        EthtoolAttr::Feature(EthtoolFeatureAttr::Active(bits)) => {
            bits.iter().any(|bit| bit.name == name && bit.value)
        }
        _ => false,
    }))
}
