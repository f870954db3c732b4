//! All targets of a network namespace are one mirror, with one table of connections.
//!
//! Each target has its programs at every interface. With tables of their own, one would take another's replies, and a
//! direct client's datagrams, for what it does not know; and a connection whose copies come by another interface from now
//! on would be somebody else's.

use std::collections::BTreeSet;

use anyhow::Result;
use mirror_common::abi::served;

use crate::kernel::{identity, maps, meta, pins::Attachment};

/// Another target of this network namespace, whose table `attachment` can use: another version's may mean something else.
///
/// # Errors
///
/// Where attachments cannot be listed.
pub fn other(attachment: &Attachment) -> Result<Option<Attachment>> {
    Ok(others(attachment)?.into_iter().next())
}

/// All of them.
fn others(attachment: &Attachment) -> Result<Vec<Attachment>> {
    let mut found = identity::others(attachment)?;
    found.retain(|it| meta::is_complete(it) && meta::read(it).is_ok());
    Ok(found)
}

/// Those of `ports` that another target serves, too, and by which interface.
///
/// # Errors
///
/// Where attachments or their tables cannot be read.
pub fn served_by_others(
    attachment: &Attachment,
    ports: &[u16],
) -> Result<(BTreeSet<u16>, Vec<String>)> {
    let (mut shared, mut interfaces) = (BTreeSet::new(), Vec::new());
    // What another version serves is in a table of its own.
    for other in others(attachment)? {
        let services = maps::services(&other)?;
        let is_served = |port: &&u16| services.get(usize::from(**port)) == Some(&served::YES);
        let before = shared.len();
        shared.extend(ports.iter().filter(is_served));
        if shared.len() > before {
            interfaces.push(other.interface);
        }
    }
    Ok((shared, interfaces))
}
