//! `detach`: takes programs off and leaves nothing behind.

use std::{collections::BTreeMap, net::SocketAddr};

use anyhow::Result;
use mirror_common::seal::Magic;

use crate::{
    choice::Chosen,
    cli, clsact, farewell, hold_device,
    mapping::MapSpec,
    network::{Interface, Network},
    object,
    pins::{Attachment, Role, Store},
    receive_buffer, retire,
    tables::in_use,
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
    if attachment.role == Role::Target && object::is_complete(attachment) {
        end_connections(attachment).await;
    }
    if attachment.role == Role::Target {
        receive_buffer::set(attachment, &[], 0);
    }
    // Known from the pins, since the interface may be gone or have another index by now.
    let meta = object::meta(attachment).ok();
    let (maps, chosen) = match attachment.role {
        Role::Source => {
            (in_use(attachment).unwrap_or_default(), Chosen::read(attachment).unwrap_or_default())
        }
        Role::Target | Role::Guard => (BTreeMap::new(), Chosen::default()),
    };
    clsact::remove(network, attachment, |_| true).await?;
    attachment.remove()?;
    let Some(meta) = meta else { return Ok(()) };
    match attachment.role {
        Role::Source => {
            let maps: Vec<MapSpec> = maps.into_values().collect();
            say_farewell(&attachment.interface, &maps, Magic(meta.seal), |map, client| {
                chosen.ends(map, client)
            });
        }
        Role::Target => hold_device::remove(network, meta.ifindex).await?,
        Role::Guard => {}
    }
    Ok(())
}

/// Tells the targets of `maps` that copies end, of those ends that `ends` says a client's connection has. Without
/// it they end their connections when they are detached, or when a client that left is missed.
pub(super) fn say_farewell(
    interface: &str,
    maps: &[MapSpec],
    magic: Magic,
    ends: impl Fn(&MapSpec, SocketAddr) -> Vec<SocketAddr>,
) {
    match farewell::say(maps, magic, ends) {
        Ok(count) => log::info!("{interface}: told targets of {count} connections"),
        Err(error) => log::warn!(
            "{interface}: could not tell the targets that copies end ({error:#}); their memcached \
             keeps the connections until `detach` there"
        ),
    }
}

/// A mirror that cannot be stopped is worse than a warning: what fails here does not stay attached.
async fn end_connections(attachment: &Attachment) {
    let ended = async {
        let ports = retire::served(attachment)?;
        retire::ports(attachment, &ports).await
    };
    match ended.await {
        Ok(0) => {}
        Ok(count) => log::info!("ended {count} mirrored connections to memcached"),
        Err(error) => log::warn!(
            "{}: could not end memcached's sockets of mirrored connections ({error:#}); restart \
             this memcached, or they may send resets to real clients",
            attachment.interface
        ),
    }
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
    if !object::is_complete(attachment) {
        log::warn!("{}: clears what an agent left that was killed half-way", interface.name);
        remove(network, attachment).await?;
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
