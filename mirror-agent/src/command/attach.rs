//! `attach`: makes this host a source.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use aya::programs::TcAttachType;
use mirror_common::{
    abi::{MAX_FAN_OUT, MAX_MAPPINGS, Mapping, PortSlot},
    seal::Magic,
};

use super::foreground;
use crate::{
    choice::Chosen,
    cli,
    clients::Clients,
    clsact,
    counters::in_use,
    hooks::{self, Hook, Kind},
    mapping::{self, MapSpec},
    neighbour,
    network::{Interface, Network, Route},
    object::{self, Settings},
    packet_lines::PacketLines,
    pins::{Attachment, Role, Store},
    render::ChoiceState,
    time,
};

/// Runs the verb.
pub(super) async fn run(store: &Store, arguments: &cli::Attach) -> Result<()> {
    mapping::check(&arguments.maps)?;
    let clients = Clients::new(&arguments.choice.clients, &arguments.choice.excluded_clients)?;
    let network = Network::connect()?;
    let interface = network.interface(&arguments.interface).await?;
    let entries = resolve(&network, &interface, &arguments.maps).await?;
    let ways_out = ways_out(&network, &interface, &entries).await?;

    let lock = store.lock()?;
    let attachment = store.attachment(&interface.name, Role::Source);
    let fresh = super::detach::clear_if_stale(&network, &attachment, &interface).await?;
    let before = if fresh { None } else { Some(Chosen::read(&attachment)?) };
    let plan = Plan {
        settings: Settings {
            magic: arguments.common.magic,
            ifindex: interface.index,
            hold_ifindex: 0,
            flows: 0,
            redundancy: arguments.redundancy,
            feeders_limited: false,
            withheld: 0,
            debug_packets: arguments.common.debug_packets,
        },
        kind: arguments.common.hook.resolve()?,
        entries,
        ways_out,
        chosen: choose(&arguments.choice, clients, before.as_ref())?,
        before,
    };
    let result = install(&network, &attachment, &interface, &plan).await;
    if result.is_err() && fresh {
        super::detach::remove(&network, &attachment).await?;
    }
    let (changed, lines) = result?;
    drop(lock);

    println!("{}: {}", interface.name, if fresh { "attached" } else { changed });
    for (spec, _) in &plan.entries {
        println!("  {spec}");
    }
    for line in ChoiceState::of(&plan.chosen)?.lines() {
        println!("  {line}");
    }
    if !interface.up {
        log::warn!("{} is down: nothing arrives until it is up", interface.name);
    }
    if arguments.common.foreground {
        foreground::run(store, &network, &[attachment], lines).await?;
    }
    Ok(())
}

/// What was typed about which packets to copy; whoever was in the sample `before` stays there.
fn choose(arguments: &cli::Choice, clients: Clients, before: Option<&Chosen>) -> Result<Chosen> {
    let ends_in = match arguments.until {
        Some(moment) => Some(time::until(moment)?),
        None => arguments.length,
    };
    Chosen::new(clients, arguments.sample, ends_in, arguments.dry_run, before)
}

/// Finds the way to every target.
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
struct WayOut {
    interface: String,
    pin: String,
}

impl WayOut {
    /// How the names of their pins begin; the interface's index follows.
    const PIN: &str = "egress_";
}

async fn ways_out(
    network: &Network,
    interface: &Interface,
    entries: &[(MapSpec, Mapping)],
) -> Result<Vec<WayOut>> {
    let indexes: BTreeSet<u32> = entries.iter().map(|(_, entry)| entry.out_ifindex).collect();
    let mut found = Vec::new();
    for index in indexes.into_iter().filter(|index| *index != interface.index) {
        let name = network.interface_name(index).await?;
        found.push(WayOut { interface: name, pin: format!("{}{index}", WayOut::PIN) });
    }
    Ok(found)
}

/// What to attach.
struct Plan {
    settings: Settings,
    kind: Kind,
    entries: Vec<(MapSpec, Mapping)>,
    ways_out: Vec<WayOut>,
    chosen: Chosen,
    /// What was chosen by what is attached already.
    before: Option<Chosen>,
}

/// Loads, fills the maps, and attaches; returns what to call it where something was attached.
async fn install(
    network: &Network,
    attachment: &Attachment,
    interface: &Interface,
    plan: &Plan,
) -> Result<(&'static str, Option<PacketLines>)> {
    let Plan { settings, kind, entries, ways_out, chosen, before } = plan;
    let kind = *kind;
    attachment.create()?;
    hooks::check_kind(attachment, kind)?;
    let mut ebpf = object::load(attachment, settings)?;
    let old = in_use(attachment)?;
    // Programs may be at work: a dry run begins before its maps are there, and ends when others are.
    if chosen.dry_run() {
        chosen.write(attachment)?;
    }
    let changed = fill(attachment, &old, entries)?;
    chosen.write(attachment)?;
    // Egress first: a copy must never meet an interface without the program that seals it.
    let egress = Hook {
        program: "source_egress",
        interface: &interface.name,
        side: TcAttachType::Egress,
        pin: "egress",
        first: true,
        kind,
    };
    hooks::attach(&mut ebpf, attachment, &egress)?;
    // Where copies leave by another interface, it is there that they are counted.
    for WayOut { interface, pin } in ways_out {
        hooks::attach(&mut ebpf, attachment, &Hook { interface, pin, ..egress })?;
    }
    let unwanted =
        |pin: &str| pin.starts_with(WayOut::PIN) && ways_out.iter().all(|way| way.pin != pin);
    attachment.remove_links(unwanted)?;
    clsact::remove(network, attachment, unwanted).await?;
    let ingress =
        Hook { program: "source_ingress", side: TcAttachType::Ingress, pin: "ingress", ..egress };
    hooks::attach(&mut ebpf, attachment, &ingress)?;
    object::write_meta(attachment, settings)?;
    if let Some(before) = before {
        say_farewell(&interface.name, plan, before, old.into_values());
    }
    let changed =
        if changed { "was attached; its maps are now" } else { "was attached already, with" };
    Ok((changed, PacketLines::take(&mut ebpf, settings)?))
}

/// Tells targets of the connections that are mirrored no more, by maps that went or by the choice.
fn say_farewell(interface: &str, plan: &Plan, before: &Chosen, old: impl Iterator<Item = MapSpec>) {
    let Plan { entries, chosen, settings, .. } = plan;
    let kept = |map: &MapSpec| entries.iter().any(|(kept, _)| kept == map);
    let same = chosen.mirrors_like(before);
    let maps: Vec<MapSpec> = old.filter(|map| !(same && kept(map))).collect();
    super::detach::say_farewell(interface, &maps, Magic(settings.magic), |map, client| {
        before.mirrors(map, client) && !(kept(map) && chosen.mirrors(map, client))
    });
}

/// Makes the kernel's tables say `entries`. A map that stays keeps its index and its counters.
fn fill(
    attachment: &Attachment,
    old: &BTreeMap<u32, MapSpec>,
    entries: &[(MapSpec, Mapping)],
) -> Result<bool> {
    let mut table = object::array::<Mapping>(attachment, "MAPPINGS")?;
    let mut ports = object::array::<PortSlot>(attachment, "PORTS")?;

    let mut indexes: BTreeMap<u32, MapSpec> = BTreeMap::new();
    let mut free = (0..MAX_MAPPINGS).filter(|index| !old.contains_key(index));
    for (spec, entry) in entries {
        let index = match old.iter().find(|(_, known)| *known == spec) {
            Some((index, _)) => *index,
            None => free.next().context("the table of maps is full; detach, or map fewer")?,
        };
        table.set(index, entry, 0).context("cannot write MAPPINGS")?;
        indexes.insert(index, *spec);
    }
    // Ports name mappings: those that go are first named no more, and then cleared.
    let named: BTreeSet<u16> =
        old.values().chain(indexes.values()).map(|spec| spec.local_port).collect();
    for port in named {
        let mut slot = PortSlot::default();
        for (index, _) in indexes.iter().filter(|(_, spec)| spec.local_port == port) {
            let at = slot.len as usize;
            if at >= MAX_FAN_OUT {
                bail!("port {port} has more than {MAX_FAN_OUT} maps");
            }
            slot.mapping[at] = u16::try_from(*index).context("index of a map")?;
            slot.len += 1;
        }
        ports.set(u32::from(port), slot, 0).context("cannot write PORTS")?;
    }
    for index in old.keys().filter(|index| !indexes.contains_key(index)) {
        let unused = Mapping {
            local_addr: [0; 4],
            target_addr: [0; 4],
            local_port: 0,
            target_port: 0,
            out_ifindex: 0,
            family: 0,
            pad: [0; 7],
        };
        table.set(*index, unused, 0).context("cannot write MAPPINGS")?;
    }
    Ok(*old != indexes)
}
