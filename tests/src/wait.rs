//! Waiting for what has to come, with a deadline.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// How long anything in the lab may take.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Calls `condition` until it gives something, or panics with `what` when [`DEADLINE`] is over.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain for: {what}");
        sleep(Duration::from_millis(20));
    }
}
