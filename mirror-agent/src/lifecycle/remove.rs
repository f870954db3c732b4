//! Takes an attachment off, and clears what is left of one.

use anyhow::{Context as _, Result};
use mirror_common::{abi::Meta, packet::seal::Magic};

use crate::{
    config::{mapping::MapSpec, selection::Selection},
    kernel::{
        attach::clsact,
        maps, meta,
        pins::{Attachment, Role},
    },
    net::netlink::Network,
    source::{copy_device, mappings::in_use, selection_table, teardown},
    target::{hold_device, ports, receive_buffer},
};

/// Takes one attachment off, whichever version of the agent made it; returns how many connections targets were told to
/// close. What another version's tables say is used where
/// they have the sizes that this version knows (a table whose meaning changes gets another size or name); what cannot be
/// done without it is a warning.
///
/// # Errors
///
/// Where a program or a pin stays.
pub async fn remove(network: &Network, attachment: &Attachment) -> Result<usize> {
    // Known from the pins, since the interface may be gone or have another index by now.
    let noted = meta::of_any_version(attachment);
    let meta = noted.filter(|meta| meta.abi != 0);
    let mut mirrored = None;
    match attachment.role {
        Role::Source if meta.is_some() => mirrored = Some(Mirrored::read(attachment)),
        Role::Source | Role::Guard => {}
        Role::Target => {
            if meta.is_some() {
                end_or_warn(attachment).await;
            }
            receive_buffer::set(attachment, &[], 0);
        }
    }
    clsact::remove(network, attachment).await?;
    attachment.remove_links()?;
    // While the pins say that it is there: whoever is killed here leaves what `detach` finds.
    remove_device(network, attachment, noted).await?;
    attachment.remove()?;
    let told = match mirrored {
        Some(Ok(mirrored)) => mirrored.tell(&attachment.interface),
        Some(Err(error)) => {
            log::warn!(
                "{}: targets were not told that copies end ({error:#}); run `mirror-agent detach` there, \
                 or their memcached keeps the connections",
                attachment.interface
            );
            0
        }
        None => 0,
    };
    Ok(told)
}

/// What targets have to be told the end of.
struct Mirrored {
    maps: Vec<MapSpec>,
    selection: Selection,
    magic: Magic,
}

impl Mirrored {
    fn read(source: &Attachment) -> Result<Self> {
        Ok(Self {
            maps: in_use(source)?.into_values().collect(),
            selection: selection_table::read(source)?,
            magic: Magic(maps::get(&maps::meta(source)?, 0).context("cannot read META")?.seal),
        })
    }

    fn tell(&self, interface: &str) -> usize {
        teardown::tell(interface, &self.maps, self.magic, |map, client| {
            self.selection.endpoints(map, client)
        })
    }
}

/// Takes the device of a source or target away, by the index that was written down, or else that the interface has.
async fn remove_device(
    network: &Network,
    attachment: &Attachment,
    meta: Option<Meta>,
) -> Result<()> {
    let index = match meta.filter(|meta| meta.ifindex != 0) {
        Some(meta) => Some(meta.ifindex),
        None => network.link(&attachment.interface).await?.map(|link| link.header.index),
    };
    match index {
        Some(index) => device_of(network, attachment.role, index).await,
        None => Ok(()),
    }
}

/// Takes the device away that goes with `role` at the interface with this index.
pub async fn device_of(network: &Network, role: Role, ifindex: u32) -> Result<()> {
    match role {
        Role::Source => copy_device::remove(network, ifindex).await,
        Role::Target => hold_device::remove(network, ifindex).await,
        Role::Guard => Ok(()),
    }
}

/// Ends memcached's sockets of the connections that a target mirrors, whichever version attached it. Returns how many.
///
/// # Errors
///
/// Where its tables cannot be read, or the kernel refuses. The target serves then as before.
pub async fn end_connections(target: &Attachment) -> Result<usize> {
    let ports = ports::served(target)?;
    let ended = ports::drain(target, &ports).await;
    if ended.is_err() {
        ports::serve(target, &ports)?;
    }
    ended
}

/// A mirror that cannot be stopped is worse than a warning: what fails here does not stay attached.
async fn end_or_warn(target: &Attachment) {
    match end_connections(target).await {
        Ok(0) => {}
        Ok(count) => log::info!("ended {count} mirrored connections to memcached"),
        Err(error) => log::warn!(
            "{}: could not end memcached's sockets of mirrored connections ({error:#}); restart \
             this memcached, or they may send resets to real clients",
            target.interface
        ),
    }
}
