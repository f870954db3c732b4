//! Counters as the kernel has them, read from the pinned per-CPU arrays.

use std::fs;

use mirror_common::abi::{MappingCounter, SourceCounter, TargetCounter};

use crate::{Host, bpf::Map};

/// One entry of an array of counters.
#[derive(Debug)]
pub struct Tally {
    /// Names of the counters, in the order of their indexes.
    pub names: Vec<&'static str>,
    map: Map,
    index: u32,
    cpus: usize,
}

impl Tally {
    /// The counters of the source at `eth0`.
    pub fn source(host: &Host) -> Self {
        Self::new(host, "source/COUNTERS", 0, SourceCounter::NAMES.to_vec())
    }

    /// The counters of the source's map number `index`.
    pub fn mapping(host: &Host, index: u32) -> Self {
        Self::new(host, "source/MAPPING_COUNTERS", index, MappingCounter::NAMES.to_vec())
    }

    /// The counters of the target at `eth0`.
    pub fn target(host: &Host) -> Self {
        Self::new(host, "target/COUNTERS", 0, TargetCounter::NAMES.to_vec())
    }

    fn new(host: &Host, pin: &str, index: u32, names: Vec<&'static str>) -> Self {
        let map = Map::pinned(&host.bpffs().join("mirror-agent/eth0").join(pin));
        Self { names, map, index, cpus: possible_cpus() }
    }

    /// Sums over all CPUs, in the order of [`Self::names`].
    pub fn read(&self) -> Vec<u64> {
        let mut values = vec![0u64; self.cpus * self.names.len()];
        self.map.read_into(self.index, &mut values);
        let of_all_cpus = |at| values.iter().skip(at).step_by(self.names.len()).sum();
        (0..self.names.len()).map(of_all_cpus).collect()
    }
}

/// CPUs that there may ever be: the kernel keeps counters for each.
fn possible_cpus() -> usize {
    let text = fs::read_to_string("/sys/devices/system/cpu/possible").expect("a Linux kernel");
    let last = text.trim().rsplit(['-', ',']).next().and_then(|last| last.parse::<usize>().ok());
    last.expect("numbers of CPUs") + 1
}
