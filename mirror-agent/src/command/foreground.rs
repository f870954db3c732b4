//! `--foreground`: stays, shows counters, and detaches at the end.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};

use super::watch::Watch;
use crate::{
    kernel::{
        identity,
        packet_trace::PacketTrace,
        pins::{Attachment, Store},
    },
    lifecycle::remove,
    net::netlink::Network,
    output,
};

const INTERVAL: Duration = Duration::from_secs(1);

/// Shows the counters of `attachments` until Ctrl-C or SIGTERM, then takes them off.
pub(super) async fn run(
    store: &Store,
    network: &Network,
    attachments: &[Attachment],
    lines: Option<PacketTrace>,
) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut tick = tokio::time::interval(INTERVAL);
    if let Some(lines) = lines {
        lines.show()?;
    }
    let mut watch = Watch::default();
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = tick.tick() => {
                let known = attachments.iter().map(identity::of).collect::<Result<_>>()?;
                let text = watch.look(network, known).await?;
                // A terminal that is gone is no reason to stop mirroring.
                let _ = output::print(&text);
            }
        }
    }
    let _lock = store.lock()?;
    for attachment in attachments {
        remove::remove(network, attachment).await?;
        // The same holds here.
        let _ = output::line(&format!("{}: {} detached", attachment.interface, attachment.role));
    }
    Ok(())
}
