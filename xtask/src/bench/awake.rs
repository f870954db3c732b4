//! CPUs that wait awake.
//!
//! The new hosts' CPU is woken for copies by the old host's. On real hosts a network card does that; here it
//! is an interrupt between processors, which takes a virtual machine some microseconds to send to a CPU
//! that sleeps, and production would pay them. A CPU that polls sees a flag instead.

use std::{fs, io::Write as _};

/// A request for no latency (kernel: `Documentation/power/pm_qos_interface.rst`), for as long as this lives
/// or the process does.
pub(crate) struct Awake(#[expect(dead_code, reason = "held, not used")] fs::File);

impl Awake {
    /// `None` where the kernel has no such thing. It may also take the request and be unable to poll.
    pub(crate) fn request() -> Option<Self> {
        let mut file = fs::OpenOptions::new().write(true).open("/dev/cpu_dma_latency").ok()?;
        file.write_all(&0i32.to_ne_bytes()).ok()?;
        Some(Self(file))
    }
}
