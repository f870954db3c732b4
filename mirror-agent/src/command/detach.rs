//! `detach`: takes programs off and leaves nothing behind.

use anyhow::{Result, bail};

use crate::{
    cli,
    kernel::{
        clock,
        failure::Failure,
        meta,
        pins::{Attachment, Store},
    },
    lifecycle::remove::remove,
    net::netlink::Network,
    output::{self, Detached},
};

/// Runs the verb.
pub(super) async fn run(store: &Store, arguments: &cli::Detach) -> Result<()> {
    let network = Network::connect()?;
    if let Err(why) = store.check_mounted() {
        check_interface(&network, arguments).await?;
        return output::line(&format!("{why:#}"));
    }
    let _lock = store.lock()?;
    let mut attachments = store.attachments()?;
    if let Some(interface) = &arguments.interface {
        attachments.retain(|attachment| attachment.interface == *interface);
    }
    if attachments.is_empty() {
        check_interface(&network, arguments).await?;
    }
    if let Some(role) = arguments.role {
        attachments.retain(|attachment| attachment.role == role);
    }
    if attachments.is_empty() {
        return output::line(&nothing(arguments));
    }
    let mut failed = Vec::new();
    for attachment in &attachments {
        // One that stays is no reason to leave others.
        if let Err(error) = detach(&network, attachment).await {
            failed.push(format!("{}: {}: {error:#}", attachment.interface, attachment.role));
        }
    }
    if !failed.is_empty() {
        bail!("not all was taken off: {}", failed.join("; "));
    }
    Ok(())
}

async fn detach(network: &Network, attachment: &Attachment) -> Result<()> {
    let meta = meta::of_any_version(attachment).filter(|meta| meta.abi != 0);
    let now = clock::wall().as_secs();
    let told = remove(network, attachment).await?;
    let version = meta.as_ref().filter(|meta| meta::is_other_version(meta)).map(meta::version);
    output::report(
        &(output::detached_line(&Detached {
            interface: &attachment.interface,
            role: attachment.role,
            age: meta.map(|meta| now.saturating_sub(meta.attached_at)),
            other_version: version.as_deref(),
            told,
        }) + "\n"),
    )
}

/// Refuses a name that is a typing error, to all appearances.
async fn check_interface(network: &Network, arguments: &cli::Detach) -> Result<()> {
    if let Some(name) = &arguments.interface
        && network.link(name).await?.is_none()
    {
        let known = network.interface_names().await?;
        bail!(Failure::NoInterface { name: name.clone(), known });
    }
    Ok(())
}

/// What to say where there is nothing to do.
fn nothing(arguments: &cli::Detach) -> String {
    let what = arguments.role.map_or("nothing".to_owned(), |role| format!("no {role}"));
    match &arguments.interface {
        Some(interface) => format!("{interface}: {what} is attached"),
        None => format!("{what} is attached"),
    }
}
