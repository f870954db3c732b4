//! What a source does not see, or does not do, where it stands: `attach` says it, and `status` repeats it.
//!
//! Each module decides about one kind, by what `net` and `kernel` find. What cannot be found out is said to nobody.
//!
//! | module | what it is responsible for |
//! |---|---|
//! | `local_clients` | connections of this host with itself |
//! | `datagrams` | UDP requests that a firewall drops |
//! | `metadata` | an XDP program of somebody else |
//! | `offloads` | offloads that undo a seal, or join what cannot be mirrored |
//! | `shared_queue` | replies and copies in one queue |
//! | `policy_routes` | routing rules, and which of them copies follow |
//! | `path_mtu` | paths to targets that take smaller packets |
//! | `gateways` | routers that tell clients of copies |
//! | `sample` | what a sample of connections leaves behind |

mod datagrams;
mod gateways;
mod local_clients;
mod metadata;
mod offloads;
mod path_mtu;
mod policy_routes;
mod sample;
mod shared_queue;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use anyhow::Result;

use crate::{
    kernel::{attach::xdp, requirements},
    net::{
        netlink::{Network, Route, mtu_of},
        offload, process,
        queue::Queue,
        rules::Rule,
        sock_diag::{self, own, unix},
    },
    source::config::MirrorConfig,
};

/// What does harm at `interface` right now, and what to do about it, a line each.
pub async fn warnings(interface: &str) -> Vec<String> {
    let active = known("offloads", offload::active(interface).await).unwrap_or_default();
    offloads::harmful(interface, &active)
}

/// What is good to know of a source at `interface` that does as `config` says, a line each.
pub async fn notes(network: &Network, interface: &str, config: &MirrorConfig) -> Vec<String> {
    let ports: BTreeSet<u16> = config.maps.iter().map(|map| map.local_port).collect();
    let addresses = known("addresses", network.addresses().await).unwrap_or_default();
    let selection = &config.selection;
    let mut notes = Vec::new();
    notes.extend(sample::note(selection.sample(), selection.sample_by()));
    notes.extend(of_own_clients(&ports, &addresses));
    let udp = known("UDP sockets", sock_diag::udp_ports()).unwrap_or_default();
    notes.extend(datagrams::note(
        interface,
        &ports,
        &udp,
        !selection.clients.included().is_empty(),
    ));
    let link = known("interface", network.link(interface).await).flatten();
    if let Some(link) = &link {
        let program = xdp::foreign(link);
        notes.extend(metadata::note(program.as_deref(), requirements::running()));
    }
    let active = known("offloads", offload::active(interface).await).unwrap_or_default();
    notes.extend(offloads::notes(interface, &active));
    let ways = ways(network, config).await;
    notes.extend(of_queues(network, &ways, config).await);
    if let Some(mtu) = link.as_ref().and_then(mtu_of) {
        let takes_datagrams = !ports.is_disjoint(&udp);
        let paths = path_mtus(network, &ways).await;
        notes.extend(path_mtu::note(interface, mtu, &paths, takes_datagrams));
    }
    if let Some(rules) = known("routing rules", Rule::all(network).await) {
        let targets: BTreeSet<IpAddr> = config.maps.iter().map(|map| map.target.ip()).collect();
        notes.extend(policy_routes::notes(&rules, &targets, &addresses));
    }
    notes.extend(gateways::note(&ways));
    notes
}

/// The way to each target, as this host's own packets take it.
type Ways = BTreeMap<IpAddr, Way>;

struct Way {
    /// By the interface with this index.
    index: u32,
    next_hop: IpAddr,
    /// Of the route's own, or learned from a router.
    mtu: Option<u32>,
}

async fn ways(network: &Network, config: &MirrorConfig) -> Ways {
    let mut ways = Ways::new();
    let targets: BTreeSet<IpAddr> = config.maps.iter().map(|map| map.target.ip()).collect();
    for target in targets {
        if let Some(Route::Via { index, next_hop, mtu }) =
            known("route", network.route(target).await)
        {
            ways.insert(target, Way { index, next_hop, mtu });
        }
    }
    ways
}

/// What the path to each target takes, as far as this host knows.
async fn path_mtus(network: &Network, ways: &Ways) -> BTreeMap<IpAddr, u32> {
    let mut paths = BTreeMap::new();
    for (target, way) in ways {
        let link = known("interface", network.link_by_index(way.index).await);
        let mtus = [way.mtu, link.as_ref().and_then(mtu_of)];
        if let Some(least) = mtus.into_iter().flatten().min() {
            paths.insert(*target, least);
        }
    }
    paths
}

/// Of connections over loopback, by own addresses, and by unix sockets.
fn of_own_clients(ports: &BTreeSet<u16>, addresses: &[IpAddr]) -> Vec<String> {
    let mut notes = Vec::new();
    let connections = known("connections", own::connections_with_self(ports, addresses));
    notes.extend(local_clients::note(&connections.unwrap_or_default()));
    for (socket, connections) in known("unix sockets", unix_sockets(ports)).unwrap_or_default() {
        notes.push(local_clients::note_of_unix_socket(ports, &socket, connections));
    }
    notes
}

/// Unix sockets of processes that also listen at one of `ports`, with how many connections each has.
fn unix_sockets(ports: &BTreeSet<u16>) -> Result<Vec<(String, usize)>> {
    let sockets = unix::listeners()?;
    let listeners = sock_diag::listeners()?;
    let of_ports = listeners.iter().filter(|listener| ports.contains(&listener.port));
    let of_ports: BTreeSet<u32> = of_ports.map(|listener| listener.inode).collect();
    if of_ports.is_empty() {
        return Ok(Vec::new());
    }
    let beside = process::beside(&of_ports, &sockets.keys().copied().collect());
    let names: BTreeSet<&String> = beside.iter().filter_map(|inode| sockets.get(inode)).collect();
    names.into_iter().map(|name| Ok((name.clone(), unix::taken(name)?))).collect()
}

/// Of the queue of each interface that copies leave by.
async fn of_queues(network: &Network, ways: &Ways, config: &MirrorConfig) -> Vec<String> {
    let mut notes = Vec::new();
    let interfaces: BTreeSet<u32> = ways.values().map(|way| way.index).collect();
    for index in interfaces {
        let Some(name) = known("interface", network.interface_name(index).await) else { continue };
        let Some(queue) = known("queue", Queue::of(network, (&name, index)).await) else {
            continue;
        };
        let by_it = |target: &IpAddr| ways.get(target).is_some_and(|way| way.index == index);
        let maps = config.maps.iter().filter(|map| by_it(&map.target.ip())).count();
        let limits = config.selection.limits();
        notes.extend(shared_queue::note(&name, &queue, (maps, limits), requirements::running()));
    }
    notes
}

/// What was found; of what could not be, a line for those who debug.
fn known<T>(what: &str, found: Result<T>) -> Option<T> {
    found.inspect_err(|error| log::debug!("{what}: cannot be looked at ({error:#})")).ok()
}
