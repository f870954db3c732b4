//! What `attach`, `drop` and `guard` have in common: the lock, what an earlier attachment left, and taking back what
//! was begun when it cannot be ended.

use anyhow::Result;

use crate::{
    kernel::pins::{Attachment, Role, Store},
    lifecycle::remove,
    net::netlink::{Interface, Network},
};

/// Has `make` attach `role` to `interface`, alone: no other agent changes anything meanwhile. `make` is told whether
/// nothing was attached before. Where it fails then, all that it made is taken off again.
///
/// # Errors
///
/// Where another agent is at work, another version is attached, or `make` fails.
pub async fn install<T>(
    store: &Store,
    network: &Network,
    (role, interface): (Role, &Interface),
    make: impl AsyncFnOnce(&Attachment, bool) -> Result<T>,
) -> Result<T> {
    let _lock = store.lock_to_attach()?;
    let attachment = store.attachment(&interface.name, role);
    let fresh = remove::clear_if_stale(network, &attachment, interface).await?;
    let result = make(&attachment, fresh).await;
    if result.is_err() && fresh {
        remove::remove(network, &attachment).await?;
        // Also where the interface went meanwhile, by whose name it is looked for else.
        remove::device_of(network, role, interface.index).await?;
    }
    result
}
