//! How busy the CPUs were, whoever kept them so.
//!
//! Wall-clock time less idle time: where the tick stops in idle (`NO_HZ_IDLE`), the kernel measures the
//! latter exactly, while user, system and softirq time are samples of the tick.

use std::{fs, time::Instant};

use anyhow::{Context as _, Result};

/// The unit of `/proc/stat` (proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// A moment to measure from.
pub(crate) struct Meter {
    start: Instant,
    then: Vec<Away>,
}

impl Meter {
    pub(crate) fn start() -> Result<Self> {
        Ok(Self { start: Instant::now(), then: away()? })
    }

    /// Seconds that each CPU was busy since then.
    pub(crate) fn busy(&self) -> Result<Vec<f64>> {
        let elapsed = self.start.elapsed().as_secs_f64();
        let busy = |now: Away, then: &Away| elapsed - (now.sum() - then.sum());
        Ok(away()?
            .into_iter()
            .zip(&self.then)
            .map(|(now, then)| busy(now, then).max(0.0))
            .collect())
    }

    /// The part of the time since then that each CPU was lent to another virtual machine.
    pub(crate) fn stolen(&self) -> Result<Vec<f64>> {
        let elapsed = self.start.elapsed().as_secs_f64();
        let part = |now: Away, then: &Away| (now.stolen - then.stolen) / elapsed;
        Ok(away()?.into_iter().zip(&self.then).map(|(now, then)| part(now, then)).collect())
    }
}

/// Seconds that a CPU was not busy for us, since the system started.
struct Away {
    idle: f64,
    stolen: f64,
}

impl Away {
    fn sum(&self) -> f64 {
        self.idle + self.stolen
    }
}

fn away() -> Result<Vec<Away>> {
    const IDLE: usize = 3;
    const WAITING: usize = 4;
    const STOLEN: usize = 7;
    let text = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    text.lines()
        .filter(|line| line.starts_with("cpu") && !line.starts_with("cpu "))
        .map(|line| {
            let ticks: Vec<f64> =
                line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
            let seconds = |field: usize| {
                let ticks = ticks.get(field).context("/proc/stat lacks a field")?;
                Ok::<_, anyhow::Error>(ticks / TICKS_PER_SECOND)
            };
            Ok(Away { idle: seconds(IDLE)? + seconds(WAITING)?, stolen: seconds(STOLEN)? })
        })
        .collect()
}
