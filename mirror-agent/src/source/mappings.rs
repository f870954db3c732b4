//! A source's maps in the kernel's tables, and changing them and the selection in one step.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use aya::{maps::PerCpuValues, util::nr_cpus};
use mirror_common::abi::{
    MAX_FAN_OUT, MAX_MAPPINGS, Mapping, MappingCounter, PortSlot, RateState, slot_index,
};

use crate::{
    config::{clients::Clients, mapping::MapSpec, selection::Selection},
    kernel::{maps, pins::Attachment},
    source::{generation::Generation, selection_table},
};

/// Longer than a program runs, which may go by what was in force when it began.
const GRACE: Duration = Duration::from_millis(50);

/// The maps that are in force, by their index in the kernel's table.
pub fn in_use(attachment: &Attachment) -> Result<BTreeMap<u32, MapSpec>> {
    named(attachment, Generation::active(attachment)?, &occupied(attachment)?)
}

/// Those of `occupied` that a generation names.
fn named(
    attachment: &Attachment,
    generation: Generation,
    occupied: &BTreeMap<u32, MapSpec>,
) -> Result<BTreeMap<u32, MapSpec>> {
    let slots = maps::mapped_ports(attachment)?;
    let mut found = BTreeMap::new();
    for (index, spec) in occupied {
        let slot = maps::get(&slots, slot_index(generation.number(), spec.local_port))
            .context("cannot read PORTS")?;
        if slot.mapping.iter().take(slot.len as usize).any(|named| u32::from(*named) == *index) {
            found.insert(*index, *spec);
        }
    }
    Ok(found)
}

/// The maps that are in the kernel's table, those included that are on their way in or out.
fn occupied(attachment: &Attachment) -> Result<BTreeMap<u32, MapSpec>> {
    let table = maps::mappings(attachment)?;
    let mut found = BTreeMap::new();
    for index in 0..MAX_MAPPINGS {
        let mapping = maps::get(&table, index).context("cannot read MAPPINGS")?;
        if let Some(spec) = MapSpec::from_kernel(&mapping) {
            found.insert(index, spec);
        }
    }
    Ok(found)
}

/// Makes `entries` and `selection` what the programs go by, from one packet to the next. A map that stays keeps
/// its index and its counters. Whatever stops it half-way leaves in force what was.
pub async fn change(
    attachment: &Attachment,
    entries: &[(MapSpec, Mapping)],
    selection: &Selection,
) -> Result<()> {
    let before = Generation::active(attachment)?;
    let there = occupied(attachment)?;
    let old = named(attachment, before, &there)?;
    let new = place(attachment, &old, &there, entries)?;
    // What a change that was stopped left behind is named in one generation or the other, if at all.
    let ports: BTreeSet<u16> =
        there.values().chain(new.values()).map(|spec| spec.local_port).collect();
    if there.is_empty() {
        // Nobody goes by anything yet.
        fill(attachment, before, &ports, &new)?;
        return selection_table::write(attachment, before, selection);
    }
    fill(attachment, before.other(), &ports, &new)?;
    selection_table::write(attachment, before.other(), selection)?;
    before.other().activate(attachment)?;
    tokio::time::sleep(GRACE).await;
    fill(attachment, before, &ports, &BTreeMap::new())?;
    selection_table::write_clients(attachment, before, &Clients::default())?;
    clear(attachment, there.keys().filter(|index| !new.contains_key(index)))
}

/// Puts `entries` into the kernel's table; returns where.
fn place(
    attachment: &Attachment,
    old: &BTreeMap<u32, MapSpec>,
    there: &BTreeMap<u32, MapSpec>,
    entries: &[(MapSpec, Mapping)],
) -> Result<BTreeMap<u32, MapSpec>> {
    let mut table = maps::mappings(attachment)?;
    let mut free = (0..MAX_MAPPINGS).filter(|index| !there.contains_key(index));
    let mut new = BTreeMap::new();
    for (spec, entry) in entries {
        let index = if let Some((index, _)) = old.iter().find(|(_, known)| *known == spec) {
            *index
        } else {
            let index = free
                .next()
                .context("the table of maps is full; remove maps before others are added")?;
            clear_counters(attachment, index)?;
            index
        };
        table.set(index, entry, 0).context("cannot write MAPPINGS")?;
        new.insert(index, *spec);
    }
    Ok(new)
}

/// Has `ports` name in one generation those of `maps` that are theirs, and no others.
fn fill(
    attachment: &Attachment,
    generation: Generation,
    ports: &BTreeSet<u16>,
    maps: &BTreeMap<u32, MapSpec>,
) -> Result<()> {
    let mut table = maps::mapped_ports(attachment)?;
    for port in ports {
        let mut slot = PortSlot::default();
        for (index, _) in maps.iter().filter(|(_, spec)| spec.local_port == *port) {
            let at = slot.len as usize;
            if at >= MAX_FAN_OUT {
                bail!("port {port} has more than {MAX_FAN_OUT} maps");
            }
            slot.mapping[at] = u16::try_from(*index).context("index of a map")?;
            slot.len += 1;
        }
        table.set(slot_index(generation.number(), *port), slot, 0).context("cannot write PORTS")?;
    }
    Ok(())
}

/// Takes maps that nobody names any more out of the kernel's table.
fn clear<'a>(attachment: &Attachment, indexes: impl Iterator<Item = &'a u32>) -> Result<()> {
    let mut table = maps::mappings(attachment)?;
    let unused = Mapping {
        local_addr: [0; 4],
        target_addr: [0; 4],
        local_port: 0,
        target_port: 0,
        out_ifindex: 0,
        family: 0,
        pad: [0; 3],
        route_mtu: 0,
    };
    for index in indexes {
        table.set(*index, unused, 0).context("cannot write MAPPINGS")?;
    }
    Ok(())
}

/// Sets the counters of a map that is about to begin to zero, and has its rate limit leave nothing out.
fn clear_counters(attachment: &Attachment, index: u32) -> Result<()> {
    maps::rate_state(attachment)?
        .set(index, RateState::default(), 0)
        .context("cannot write RATE_STATE")?;
    let mut counters = maps::mapping_counters(attachment)?;
    let cpus = nr_cpus().map_err(|(_, error)| error).context("cannot count processors")?;
    let zero = PerCpuValues::try_from(vec![[0; MappingCounter::COUNT]; cpus]);
    counters
        .set(index, zero.context("as many values as processors")?, 0)
        .context("cannot write MAPPING_COUNTERS")
}
