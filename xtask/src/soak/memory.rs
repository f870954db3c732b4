//! Whether memory grows: of an agent that stays, and of the maps in the kernel.

use anyhow::{Result, ensure};
use mirror_tests::{host::Running, memory, mirror::Mirror};

/// Samples before which nothing is judged: caches fill.
const WARM: usize = 3;
/// By so much the last third may be above the first, in bytes: a page or two for each thread, a slab or
/// two for each CPU.
const SLACK: u64 = 1 << 20;

/// Bytes at the end of each trouble.
#[derive(Default)]
pub(crate) struct Memory {
    agent: Vec<u64>,
    source: Vec<u64>,
    target: Vec<u64>,
}

impl Memory {
    /// Looks once.
    pub(crate) fn sample(&mut self, mirror: &Mirror, agent: &Running) {
        self.agent.push(memory::of_process(agent));
        self.source.push(memory::of_maps(&mirror.old));
        self.target.push(memory::of_maps(&mirror.new));
    }

    fn all(&self) -> [(&'static str, &[u64]); 3] {
        [("agent", &self.agent), ("maps, old host", &self.source), ("maps, new host", &self.target)]
    }

    /// For the report: at first, at last, and at most.
    pub(crate) fn rows(&self) -> Vec<(String, String)> {
        let row = |(name, samples): (&str, &[u64])| {
            let shown = |bytes: Option<&u64>| bytes.map_or(0, |bytes| bytes / 1024);
            let text = format!(
                "{} kB, then {} kB, at most {} kB",
                shown(samples.first()),
                shown(samples.last()),
                shown(samples.iter().max())
            );
            (format!("memory: {name}"), text)
        };
        self.all().map(row).to_vec()
    }

    /// An error if any grows.
    pub(crate) fn judge(&self) -> Result<()> {
        for (name, samples) in self.all() {
            let warm = samples.get(WARM..).unwrap_or_default();
            let third = warm.len() / 3;
            if third == 0 {
                continue;
            }
            let (first, last) = (median(&warm[..third]), median(&warm[warm.len() - third..]));
            ensure!(
                last <= first + first / 10 + SLACK,
                "memory grows: {name}, from {first} to {last} bytes"
            );
        }
        Ok(())
    }
}

fn median(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}
