//! What a source is going to copy, and by which interfaces: what `attach` and `map` have in common.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use aya::{Ebpf, programs::TcAttachType};
use mirror_common::abi::Mapping;

use crate::{
    config::{
        mapping::{self, MapSpec},
        selection::Selection,
    },
    kernel::{
        attach::{
            self, clsact,
            hook::{Hook, Mechanism},
        },
        pins::Attachment,
    },
    net::{
        neighbour,
        netlink::{Interface, Network, Route},
    },
    source::{config::MirrorConfig, teardown},
};

/// Maps with their ways, and the selection.
pub struct Plan {
    /// Each map with its entry in the kernel's table.
    pub entries: Vec<(MapSpec, Mapping)>,
    egress_interfaces: Vec<EgressInterface>,
    /// What is mirrored of that which the maps match.
    pub selection: Selection,
}

impl Plan {
    /// Finds the way to every target.
    pub async fn new(
        network: &Network,
        interface: &Interface,
        config: &MirrorConfig,
    ) -> Result<Self> {
        mapping::check(&config.maps)?;
        let entries = resolve(network, interface, &config.maps).await?;
        let egress_interfaces = egress_interfaces(network, interface, &entries).await?;
        Ok(Self { entries, egress_interfaces, selection: config.selection.clone() })
    }

    /// Whether programs have to be attached where none are yet.
    pub fn needs_hooks(&self, attachment: &Attachment) -> Result<bool> {
        let pins = attachment.names()?;
        Ok(self.egress_interfaces.iter().any(|way| !pins.iter().any(|pin| pin.ends_with(&way.pin))))
    }

    /// Attaches what sees copies leave: a copy must never meet an interface without the program that seals
    /// and counts it.
    pub fn attach_egress(
        &self,
        ebpf: &mut Ebpf,
        attachment: &Attachment,
        mechanism: Mechanism,
    ) -> Result<()> {
        let egress = Hook {
            program: "source_egress",
            interface: &attachment.interface,
            side: TcAttachType::Egress,
            pin: "egress",
            first: true,
            mechanism,
        };
        attach::attach(ebpf, attachment, &egress)?;
        // Where copies leave by another interface, it is there that they are counted.
        for EgressInterface { interface, pin } in &self.egress_interfaces {
            attach::attach(ebpf, attachment, &Hook { interface, pin, ..egress })?;
        }
        Ok(())
    }

    /// Takes programs off interfaces by which no copy leaves any more.
    pub async fn detach_other_egress(
        &self,
        network: &Network,
        attachment: &Attachment,
    ) -> Result<()> {
        let unwanted = |pin: &str| {
            pin.starts_with(EgressInterface::PIN)
                && self.egress_interfaces.iter().all(|way| way.pin != pin)
        };
        attachment.remove_links(unwanted)?;
        clsact::remove(network, attachment, unwanted).await
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

async fn resolve(
    network: &Network,
    interface: &Interface,
    maps: &[MapSpec],
) -> Result<Vec<(MapSpec, Mapping)>> {
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
        let out = match network.route(target).await? {
            Route::Via(index, next_hop) => {
                next_hops.insert((index, next_hop));
                index
            }
            Route::Local => bail!("{map}: {target} is this host; copies have to go to another"),
            Route::None => {
                log::warn!(
                    "{map}: there is no route to {target} now; copies wait for one by {} and are \
                     counted as unsent",
                    interface.name
                );
                interface.index
            }
        };
        entries.push((*map, map.to_kernel(out)));
    }
    for (_, silent) in neighbour::resolve(network, &next_hops).await? {
        log::warn!(
            "{silent} does not answer ARP or neighbour discovery: copies by that way are counted as \
             unsent until it does"
        );
    }
    Ok(entries)
}

/// An interface other than the source's own by which copies leave.
struct EgressInterface {
    interface: String,
    pin: String,
}

impl EgressInterface {
    /// How the names of their pins begin; the interface's index follows.
    const PIN: &str = "egress_";
}

async fn egress_interfaces(
    network: &Network,
    interface: &Interface,
    entries: &[(MapSpec, Mapping)],
) -> Result<Vec<EgressInterface>> {
    let indexes: BTreeSet<u32> = entries.iter().map(|(_, entry)| entry.out_ifindex).collect();
    let mut found = Vec::new();
    for index in indexes.into_iter().filter(|index| *index != interface.index) {
        let name = network.interface_name(index).await?;
        found.push(EgressInterface {
            interface: name,
            pin: format!("{}{index}", EgressInterface::PIN),
        });
    }
    Ok(found)
}
