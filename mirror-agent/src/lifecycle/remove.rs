//! Takes an attachment off, and clears what is left of one.

use std::collections::BTreeMap;

use anyhow::Result;
use mirror_common::packet::seal::Magic;

use crate::{
    config::{mapping::MapSpec, selection::Selection},
    kernel::{
        attach::clsact,
        meta,
        pins::{Attachment, Role},
    },
    net::netlink::{Interface, Network},
    source::{mappings::in_use, selection_table, teardown},
    target::{hold_device, ports, receive_buffer},
};

/// Takes one attachment off.
pub async fn remove(network: &Network, attachment: &Attachment) -> Result<()> {
    if attachment.role == Role::Target && meta::is_complete(attachment) {
        end_connections(attachment).await;
    }
    if attachment.role == Role::Target {
        receive_buffer::set(attachment, &[], 0);
    }
    // Known from the pins, since the interface may be gone or have another index by now.
    let meta = meta::read(attachment).ok();
    let (maps, chosen) = match attachment.role {
        Role::Source => (
            in_use(attachment).unwrap_or_default(),
            selection_table::read(attachment).unwrap_or_default(),
        ),
        Role::Target | Role::Guard => (BTreeMap::new(), Selection::default()),
    };
    clsact::remove(network, attachment, |_| true).await?;
    attachment.remove()?;
    let Some(meta) = meta else { return Ok(()) };
    match attachment.role {
        Role::Source => {
            let maps: Vec<MapSpec> = maps.into_values().collect();
            teardown::tell(&attachment.interface, &maps, Magic(meta.seal), |map, client| {
                chosen.endpoints(map, client)
            });
        }
        Role::Target => hold_device::remove(network, meta.ifindex).await?,
        Role::Guard => {}
    }
    Ok(())
}

/// A mirror that cannot be stopped is worse than a warning: what fails here does not stay attached.
async fn end_connections(attachment: &Attachment) {
    let ended = async {
        let ports = ports::served(attachment)?;
        ports::drain(attachment, &ports).await
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
pub async fn clear_if_stale(
    network: &Network,
    attachment: &Attachment,
    interface: &Interface,
) -> Result<bool> {
    if !attachment.exists() {
        return Ok(true);
    }
    if !meta::is_complete(attachment) {
        log::warn!("{}: clears what an agent left that was killed half-way", interface.name);
        remove(network, attachment).await?;
        return Ok(true);
    }
    if meta::read(attachment)?.ifindex == interface.index {
        return Ok(false);
    }
    log::warn!(
        "{} is a new interface by an old name; what was attached to the old one is cleared",
        interface.name
    );
    remove(network, attachment).await?;
    Ok(true)
}
