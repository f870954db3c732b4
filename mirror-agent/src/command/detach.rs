//! `detach`: takes programs off and leaves nothing behind.

use anyhow::Result;

use crate::{
    cli, hold_device,
    network::{Interface, Network},
    object,
    pins::{Attachment, Role, Store},
};

/// Runs the verb.
pub(super) async fn run(store: &Store, arguments: &cli::Detach) -> Result<()> {
    let network = Network::connect()?;
    let _lock = store.lock()?;
    let mut attachments = store.attachments()?;
    if let Some(interface) = &arguments.interface {
        attachments.retain(|attachment| attachment.interface == *interface);
        if attachments.is_empty() {
            println!("{interface}: nothing is attached");
        }
    } else if attachments.is_empty() {
        println!("nothing is attached");
    }
    for attachment in &attachments {
        remove(&network, attachment).await?;
        println!("{}: {} detached", attachment.interface, attachment.role);
    }
    Ok(())
}

/// Takes one attachment off.
pub(super) async fn remove(network: &Network, attachment: &Attachment) -> Result<()> {
    // Known from the pins, since the interface may be gone or have another index by now.
    let ifindex = object::meta(attachment).map(|meta| meta.ifindex);
    attachment.remove()?;
    if attachment.role == Role::Target
        && let Ok(ifindex) = ifindex
    {
        hold_device::remove(network, ifindex).await?;
    }
    Ok(())
}

/// Clears what was attached to an interface of the same name that is gone. Returns whether nothing
/// is attached now. Refuses pins of another version.
pub(super) async fn clear_if_stale(
    network: &Network,
    attachment: &Attachment,
    interface: &Interface,
) -> Result<bool> {
    if !attachment.exists() {
        return Ok(true);
    }
    if object::meta(attachment)?.ifindex == interface.index {
        return Ok(false);
    }
    log::warn!(
        "{} is a new interface by an old name; what was attached to the old one is cleared",
        interface.name
    );
    remove(network, attachment).await?;
    Ok(true)
}
