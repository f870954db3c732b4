//! Reading the per-CPU counters of what is attached.

use anyhow::{Context as _, Result};
use aya::maps::{MapData, PerCpuArray};
use mirror_common::abi::{
    DerivedMapping, DerivedTarget, GuardCounter, MappingCounter, SourceCounter, TargetCounter,
    Waits,
};

use crate::{
    config::mapping::MapSpec,
    kernel::{
        clock, maps,
        pins::{Attachment, Role},
    },
    source::mappings::in_use,
};

/// Sums over all CPUs, in the order of the counter's enum, by name.
pub type Values = Vec<(&'static str, u64)>;

/// The counters of one attachment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The interface.
    pub interface: String,
    /// Which programs.
    pub role: Role,
    /// Of the interface.
    pub counters: Values,
    /// Of each map, for a source.
    pub maps: Vec<(MapSpec, Values)>,
}

/// Reads one attachment, which this version has to have made.
pub fn read(attachment: &Attachment) -> Result<Snapshot> {
    let (counters, maps) = match attachment.role {
        Role::Source => (named(attachment, SourceCounter::NAMES)?, mappings(attachment)?),
        Role::Target => (target(attachment)?, Vec::new()),
        Role::Guard => (named(attachment, GuardCounter::NAMES)?, Vec::new()),
    };
    Ok(Snapshot { interface: attachment.interface.clone(), role: attachment.role, counters, maps })
}

/// The counters of the interface, by their names.
fn named<const N: usize>(attachment: &Attachment, names: [&'static str; N]) -> Result<Values> {
    Ok(names.into_iter().zip(sums::<N>(&maps::counters(attachment)?, 0)?).collect())
}

/// A target's counters, and what follows from them about the hold device.
fn target(attachment: &Attachment) -> Result<Values> {
    let waits: Waits = maps::get(&maps::waits(attachment)?, 0)?;
    let idle = clock::monotonic()?.saturating_sub(waits.seen_at);
    let mut values = named(attachment, TargetCounter::NAMES)?;
    values.extend(hold_device(&values, waits, idle));
    Ok(values)
}

/// A queue that is full of jumbo frames lets the last one out so long after the first, in ns.
const LONGEST_ROUND: u64 = 5_000_000_000;

/// What waits in the hold device, for how long, and what it dropped; `idle` is for how long nothing went in, in ns.
fn hold_device(counters: &Values, waits: Waits, idle: u64) -> [(&'static str, u64); 3] {
    let count = |counter: TargetCounter| counters[counter as usize].1;
    let missing = count(TargetCounter::Held).saturating_sub(count(TargetCounter::Released));
    let (waiting, dropped) = if idle > LONGEST_ROUND { (0, missing) } else { (missing, 0) };
    let longest = if waiting == 0 { 0 } else { waits.longest / 1_000_000 };
    [
        (DerivedTarget::Waiting.name(), waiting),
        (DerivedTarget::LongestWait.name(), longest),
        (DerivedTarget::HoldDropped.name(), dropped),
    ]
}

fn mappings(attachment: &Attachment) -> Result<Vec<(MapSpec, Values)>> {
    let counters = maps::mapping_counters(attachment)?;
    in_use(attachment)?
        .into_iter()
        .map(|(index, spec)| {
            let sums = sums::<{ MappingCounter::COUNT }>(&counters, index)?;
            let mut values: Values = MappingCounter::NAMES.into_iter().zip(sums).collect();
            values.push((DerivedMapping::Unsent.name(), unsent(&sums)));
            Ok((spec, values))
        })
        .collect()
}

/// Copies that were made and neither left nor failed: no route or next hop, or on their way.
fn unsent(sums: &[u64; MappingCounter::COUNT]) -> u64 {
    [MappingCounter::Sent, MappingCounter::FailedClone, MappingCounter::FailedRewrite]
        .iter()
        .fold(sums[MappingCounter::Copies as usize], |left, gone| {
            left.saturating_sub(sums[*gone as usize])
        })
}

fn sums<const N: usize>(map: &PerCpuArray<MapData, [u64; N]>, index: u32) -> Result<[u64; N]> {
    let mut total = [0u64; N];
    for of_one_cpu in map.get(&index, 0).context("cannot read counters")?.iter() {
        for (sum, value) in total.iter_mut().zip(of_one_cpu) {
            *sum = sum.wrapping_add(*value);
        }
    }
    Ok(total)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Of `eth0`, with these counters and no others.
    pub(crate) fn snapshot(role: Role, counters: &[(&'static str, u64)]) -> Snapshot {
        Snapshot { interface: "eth0".into(), role, counters: counters.to_vec(), maps: vec![] }
    }

    #[test]
    fn what_is_missing_waits_or_was_dropped() {
        let mut counters: Values = TargetCounter::NAMES.map(|name| (name, 0)).to_vec();
        counters[TargetCounter::Held as usize].1 = 9;
        counters[TargetCounter::Released as usize].1 = 6;
        let waits = Waits { longest: 7_900_000, seen_at: 1 };
        let [waiting, longest, dropped] =
            hold_device(&counters, waits, Waits::MEMORY).map(|(_, count)| count);
        assert_eq!((waiting, longest, dropped), (3, 7, 0));
        let [waiting, longest, dropped] =
            hold_device(&counters, waits, 2 * LONGEST_ROUND).map(|(_, count)| count);
        assert_eq!((waiting, longest, dropped), (0, 0, 3));
    }

    #[test]
    fn unsent_is_what_is_left() {
        let mut sums = [0; MappingCounter::COUNT];
        sums[MappingCounter::Copies as usize] = 10;
        sums[MappingCounter::Sent as usize] = 7;
        sums[MappingCounter::FailedRewrite as usize] = 1;
        assert_eq!(unsent(&sums), 2);
        sums[MappingCounter::Sent as usize] = 11;
        assert_eq!(unsent(&sums), 0, "counters are read one after the other");
    }
}
