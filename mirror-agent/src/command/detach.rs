//! `detach`: takes programs off and leaves nothing behind.

use anyhow::Result;

use crate::{cli, kernel::pins::Store, lifecycle::remove::remove, net::netlink::Network, output};

/// Runs the verb.
pub(super) async fn run(store: &Store, arguments: &cli::Detach) -> Result<()> {
    let network = Network::connect()?;
    let _lock = store.lock()?;
    let mut attachments = store.attachments()?;
    if let Some(interface) = &arguments.interface {
        attachments.retain(|attachment| attachment.interface == *interface);
        if attachments.is_empty() {
            output::line(&format!("{interface}: nothing is attached"))?;
        }
    } else if attachments.is_empty() {
        output::line("nothing is attached")?;
    }
    for attachment in &attachments {
        remove(&network, attachment).await?;
        output::line(&format!("{}: {} detached", attachment.interface, attachment.role))?;
    }
    Ok(())
}
