//! Link-layer addresses of next hops, asked for before the first copy needs one.
//!
//! The kernel keeps only a few packets for a next hop that it does not know yet, and drops the oldest
//! first (`neigh_event_send`, `unres_qlen_bytes`): under load that would be a connection's SYN.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use futures_util::TryStreamExt as _;
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};

use crate::net::netlink::Network;

/// How long next hops have to answer. ARP asks once a second.
const PATIENCE: Duration = Duration::from_millis(1500);
const POLL: Duration = Duration::from_millis(20);

/// An address on the link of the interface with this index.
pub type NextHop = (u32, IpAddr);

/// Makes the kernel resolve these next hops, and waits; returns those that do not answer.
pub async fn resolve(network: &Network, hops: &BTreeSet<NextHop>) -> Result<BTreeSet<NextHop>> {
    let mut silent: BTreeSet<NextHop> = hops - &known(network).await?;
    for (ifindex, address) in &silent {
        let mut request = network.handle.neighbours().add(*ifindex, *address).replace();
        // As if a packet was to be sent there (kernel: `neigh_add`).
        request.message_mut().header.flags = NeighbourFlags::Use;
        request.message_mut().header.state = NeighbourState::None;
        if let Err(error) = request.execute().await {
            log::debug!("cannot ask for the link-layer address of {address}: {error}");
        }
    }
    let start = Instant::now();
    while !silent.is_empty() && start.elapsed() < PATIENCE {
        tokio::time::sleep(POLL).await;
        silent = &silent - &known(network).await?;
    }
    Ok(silent)
}

async fn known(network: &Network) -> Result<BTreeSet<NextHop>> {
    let entries: Vec<NeighbourMessage> = network
        .handle
        .neighbours()
        .get()
        .execute()
        .try_collect()
        .await
        .context("cannot list neighbours")?;
    Ok(entries.iter().filter_map(next_hop).collect())
}

fn next_hop(entry: &NeighbourMessage) -> Option<NextHop> {
    if matches!(
        entry.header.state,
        NeighbourState::Incomplete | NeighbourState::Failed | NeighbourState::None
    ) {
        return None;
    }
    entry.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => {
            Some((entry.header.ifindex, IpAddr::V4(*v4)))
        }
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => {
            Some((entry.header.ifindex, IpAddr::V6(*v6)))
        }
        _ => None,
    })
}
