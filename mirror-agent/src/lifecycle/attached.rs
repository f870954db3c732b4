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
