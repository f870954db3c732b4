//! What a source is going to copy, and by which interfaces: what `attach` and `map` have in common.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use mirror_common::abi::Mapping;

use crate::{
    config::{
        mapping::{self, MapSpec},
        selection::Selection,
    },
    net::{
        neighbour,
        netlink::{Network, Route},
    },
    source::{config::MirrorConfig, teardown},
};

/// Maps with their ways, and the selection.
pub struct Plan {
    /// Each map with its entry in the kernel's table.
    pub entries: Vec<(MapSpec, Mapping)>,
    /// What is mirrored of that which the maps match.
    pub selection: Selection,
}

impl Plan {
    /// Finds the way to every target, so that what is wrong is said at once: copies ask for theirs when they leave.
    pub async fn new(network: &Network, config: &MirrorConfig) -> Result<Self> {
        mapping::check(&config.maps)?;
        let entries = resolve(network, &config.maps).await?;
        Ok(Self { entries, selection: config.selection.clone() })
    }

    /// Tells targets to close connections that are mirrored no more, by maps that went or by the selection. What to
    /// say about it.
    pub fn send_teardown(&self, interface: &str, before: &MirrorConfig) -> Option<String> {
        let kept = |map: &MapSpec| self.entries.iter().any(|(kept, _)| kept == map);
        let same = self.selection.mirrors_like(&before.selection);
        let maps: Vec<MapSpec> =
            before.maps.iter().copied().filter(|map| !(same && kept(map))).collect();
        let told = teardown::tell(interface, &maps, before.magic, |map, client| {
            let mut endpoints = before.selection.endpoints(map, client);
            if kept(map) {
                let still = self.selection.endpoints(map, client);
                endpoints.retain(|endpoint| !still.contains(endpoint));
            }
            endpoints
        });
        (told > 0).then(|| format!("targets were told to close {told} connections"))
    }
}

async fn resolve(network: &Network, maps: &[MapSpec]) -> Result<Vec<(MapSpec, Mapping)>> {
    let own = network.addresses().await?;
    let mut entries = Vec::new();
    let mut next_hops = BTreeSet::new();
    for map in maps {
        let target = map.target.ip();
        if own.contains(&target) {
            bail!("{map}: {target} is an address of this host; copies have to go to another");
        }
        if let Some(local) = map.local_addr
            && !own.contains(&local)
        {
            log::warn!("{map}: {local} is not an address of this host; it will match nothing");
        }
        let (out, route_mtu) = match network.route(target).await? {
            Route::Via { index, next_hop, mtu } => {
                next_hops.insert((index, next_hop));
                (index, mtu.unwrap_or(0))
            }
            Route::Local => bail!("{map}: {target} is this host; copies have to go to another"),
            Route::None => {
                log::warn!(
                    "{map}: there is no route to {target} now; copies are lost until there is one, and counted as \
                     unsent"
                );
                (0, 0)
            }
        };
        entries.push((*map, map.to_kernel(out, route_mtu)));
    }
    for (_, silent) in neighbour::resolve(network, &next_hops).await? {
        log::warn!(
            "{silent} does not answer ARP or neighbour discovery: copies by that way are counted as \
             unsent until it does"
        );
    }
    Ok(entries)
}
