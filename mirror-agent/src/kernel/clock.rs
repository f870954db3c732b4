//! The kernel's clocks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use nix::time::{ClockId, clock_gettime};

/// One moment, by the clock that programs go by and by the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Nanoseconds since boot, with time spent suspended.
    pub since_boot: u64,
    /// Since the epoch.
    pub wall: Duration,
}

impl Now {
    /// This moment.
    ///
    /// # Errors
    ///
    /// Where the kernel has no such clock.
    pub fn read() -> Result<Self> {
        Ok(Self { since_boot: since_boot()?, wall: wall() })
    }
}

/// The wall clock, since the epoch; zero where it is before that.
pub fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Nanoseconds of the monotonic clock, which programs measure waits by.
pub fn monotonic() -> Result<u64> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).context("cannot read CLOCK_MONOTONIC")?;
    u64::try_from(Duration::from(now).as_nanos()).context("CLOCK_MONOTONIC")
}

/// Nanoseconds since boot, with time spent suspended.
pub fn since_boot() -> Result<u64> {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).context("cannot read CLOCK_BOOTTIME")?;
    u64::try_from(Duration::from(now).as_nanos()).context("CLOCK_BOOTTIME")
}
