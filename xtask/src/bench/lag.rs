//! How long a new server is behind the old one: a marker is stored on the old, and looked for on the new
//! until it is there.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Result;
use mirror_tests::client::Connection;

use super::{load::stay_on, site::NEW};
use crate::interrupt::Interrupt;

const PAUSE: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(1);

/// Lags in microseconds, for as long as `time`. The clock starts when the old server has answered, and
/// stops with the new one's first answer that has the marker, so a lag is never less than one look.
///
/// On the new hosts' CPU, where looking costs production nothing.
pub(crate) fn measure(
    old: &mut Connection,
    new: &mut Connection,
    time: Duration,
    interrupt: &Interrupt,
) -> Result<Vec<f64>> {
    stay_on(NEW)?;
    let start = Instant::now();
    let mut found = Vec::new();
    while start.elapsed() < time {
        interrupt.check()?;
        let key = format!("marker-{:?}", start.elapsed());
        old.set(&key, b"x");
        let stored = Instant::now();
        while new.get(&key).is_none() && stored.elapsed() < PATIENCE {}
        found.push(stored.elapsed().as_secs_f64() * 1e6);
        sleep(PAUSE);
    }
    Ok(found)
}
