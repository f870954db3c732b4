//! `--trace-packets`: prints what the programs say of packets.

use anyhow::{Context as _, Result};
use aya::Ebpf;
use aya_log::EbpfLogger;
use tokio::io::{Interest, unix::AsyncFd};

use crate::kernel::settings::Settings;

/// The reading end of the programs' ring buffer.
pub struct PacketTrace(EbpfLogger<&'static dyn log::Log>);

impl PacketTrace {
    /// The lines of freshly loaded programs; `None` if they have nothing to say.
    pub fn take(ebpf: &mut Ebpf, settings: &Settings) -> Result<Option<Self>> {
        if !settings.trace() {
            return Ok(None);
        }
        let logger = EbpfLogger::init(ebpf).context("cannot open the ring buffer for packets")?;
        Ok(Some(Self(logger)))
    }

    /// Prints lines, at level `info` of target `packets`, for as long as this process lives.
    pub fn show(self) -> Result<()> {
        // SAFETY: the logger owns its descriptor, and keeps it open until it is dropped.
        let ready = unsafe { AsyncFd::register_with_interest(self.0, Interest::READABLE) };
        let mut ready = ready.context("cannot wait for the ring buffer")?;
        tokio::spawn(async move {
            while let Ok(mut guard) = ready.readable_mut().await {
                guard.get_inner_mut().flush();
                guard.clear_ready();
            }
        });
        Ok(())
    }
}
