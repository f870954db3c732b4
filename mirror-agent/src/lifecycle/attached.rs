//! What is attached, for verbs that change it.

use anyhow::{Result, bail};

use crate::{
    kernel::{
        failure::Failure,
        meta,
        pins::{Attachment, Role, Store},
    },
    net::netlink::Interface,
};

/// Those of `role`, or the one at `interface`, where there has to be one. What is half made is none.
///
/// # Errors
///
/// Where there is none at `interface`, or one is another version's.
pub fn all_attached(store: &Store, role: Role, interface: Option<&str>) -> Result<Vec<Attachment>> {
    let mut found = store.attachments()?;
    found.retain(|attachment| {
        attachment.role == role
            && interface.is_none_or(|wanted| wanted == attachment.interface)
            && meta::is_complete(attachment)
    });
    if let Some(interface) = interface.filter(|_| found.is_empty()) {
        bail!(Failure::NotAttached { role: Some(role), interface: interface.to_owned() });
    }
    for attachment in &found {
        meta::read(attachment)?;
    }
    Ok(found)
}

/// The attachment of `role` at `interface`, which has to be there.
///
/// # Errors
///
/// Where it is not, is half made, another version's, or of another interface by the same name.
pub fn attached(store: &Store, interface: &Interface, role: Role) -> Result<Attachment> {
    let attachment = store.attachment(&interface.name, role);
    if !attachment.exists() || !meta::is_complete(&attachment) {
        bail!(Failure::NotAttached { role: Some(role), interface: interface.name.clone() });
    }
    if meta::read(&attachment)?.ifindex != interface.index {
        bail!(
            "{}: what was attached was another interface by that name; attach again",
            interface.name
        );
    }
    Ok(attachment)
}
