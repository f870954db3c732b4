//! What `attach`, `drop` and `guard` have in common: the lock, what an earlier attachment left, another version's that is
//! replaced, and taking back what was begun when it cannot be ended.

use anyhow::{Context as _, Result};

use crate::{
    kernel::{
        failure::Failure,
        identity::{self, Known, Place},
        meta,
        pins::{Attachment, Role, Store},
    },
    lifecycle::{attached::place_of, remove},
    net::netlink::{Interface, Network},
};

/// Has `make` attach `role` to `interface`, alone: no other agent changes anything meanwhile. `make` is told whether
/// nothing was attached before. Where it fails then, all that it made is taken off again.
///
/// What another version attached is taken off first, where `is_told` finds that all settings were typed: of that one's,
/// nothing can be read for certain. Returns what `make` returns, and which version was replaced.
///
/// # Errors
///
/// Where another agent is at work, another network namespace has the place, another version is attached and cannot be
/// replaced, or `make` fails.
pub async fn install<T>(
    store: &Store,
    network: &Network,
    (role, interface): (Role, &Interface),
    is_told: impl AsyncFnOnce() -> Result<()>,
    make: impl AsyncFnOnce(&Attachment, bool) -> Result<T>,
) -> Result<(T, Option<String>)> {
    let _lock = store.lock_to_attach()?;
    let attachment = place_of(store, interface, role)?;
    let room = make_room(store, network, &attachment, interface, is_told).await?;
    let result = make(&attachment, !matches!(room, Room::Taken)).await;
    if result.is_err() {
        match (&room, role) {
            // What was there before goes on: the other version's program still drops what it did.
            (Room::Taken, _) | (Room::Replaced(_), Role::Guard) => {}
            (Room::Free | Room::Replaced(_), _) => {
                remove::remove(network, &attachment).await?;
                // Also where the interface went meanwhile, by whose name it is looked for else.
                remove::device_of(network, role, interface.index).await?;
            }
        }
    }
    match room {
        Room::Replaced(version) => {
            let what = match role {
                Role::Guard => "goes on, and is not replaced",
                Role::Source | Role::Target => "is off, and nothing took its place",
            };
            let name = &interface.name;
            let made = result
                .with_context(|| format!("{name}: what version {version} attached {what}"))?;
            Ok((made, Some(version)))
        }
        Room::Free | Room::Taken => Ok((result?, None)),
    }
}

/// What there is where an attachment is to be.
enum Room {
    /// Nothing.
    Free,
    /// What this version attached.
    Taken,
    /// Nothing but what this version can replace in place; another one attached it.
    Replaced(String),
}

/// Clears what was left in the place of `attachment`, by an agent that was killed or by an interface that is gone, and what
/// another version attached.
async fn make_room(
    store: &Store,
    network: &Network,
    attachment: &Attachment,
    interface: &Interface,
    is_told: impl AsyncFnOnce() -> Result<()>,
) -> Result<Room> {
    let is_this = |known: &Known| known.attachment.directory() == attachment.directory();
    let Some(there) = identity::all(store)?.into_iter().find(is_this) else {
        return Ok(Room::Free);
    };
    let name = &interface.name;
    match there.place {
        Place::EndedElsewhere(namespace) => {
            log::warn!(
                "{name}: clears what is left of an attachment in {namespace}, whose interface is gone"
            );
            attachment.remove()?;
            return Ok(Room::Free);
        }
        _ if !meta::is_complete(attachment) => {
            log::warn!("{name}: clears what an agent left that was killed half-way");
        }
        Place::InterfaceGone => {
            log::warn!(
                "{name} is a new interface by an old name; what was attached to the old one is cleared"
            );
        }
        Place::Here | Place::Elsewhere(_) => {
            let other = there.meta.as_ref().filter(|meta| meta::is_other_version(meta));
            let Some(version) = other.map(meta::version) else {
                meta::read(attachment)?;
                return Ok(Room::Taken);
            };
            replace(network, attachment, is_told).await?;
            return Ok(Room::Replaced(version));
        }
    }
    remove::remove(network, attachment).await?;
    Ok(Room::Free)
}

/// Makes room where another version attached.
///
/// A target's connections end before anything else, or the verb is refused: this version's programs know none of them,
/// and would let their replies out. A guard's program stays until this version's takes its place. A source is taken off as
/// by `detach`: two at once would copy everything twice.
async fn replace(
    network: &Network,
    attachment: &Attachment,
    is_told: impl AsyncFnOnce() -> Result<()>,
) -> Result<()> {
    let refused = |why: anyhow::Error| match meta::read(attachment) {
        Err(failure) => match failure.downcast::<Failure>() {
            Ok(failure) => why.context(failure),
            Err(failure) => failure,
        },
        Ok(_) => why,
    };
    is_told().await.map_err(refused)?;
    match attachment.role {
        Role::Guard => return attachment.remove_maps(),
        Role::Target => remove::end_connections(attachment).await.map(drop).map_err(|error| {
            refused(error.context("memcached's sockets of mirrored connections could not be ended"))
        })?,
        Role::Source => {}
    }
    remove::remove(network, attachment).await.map(drop)
}
