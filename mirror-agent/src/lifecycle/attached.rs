//! Which attachment is meant by what was typed. Interfaces are known by their index, so that one that was renamed is
//! found by its new name, and by its old one while no other has that.

use anyhow::{Result, bail};

use crate::{
    kernel::{
        failure::Failure,
        identity::{self, Known, Place},
        meta,
        pins::{Attachment, Role, Store},
    },
    net::netlink::{Interface, Network},
};

/// The interface that `typed` means: the one that is called so, or else the one that was when something was attached.
///
/// # Errors
///
/// Where there is none, or two were called so, or nothing can be attached to it.
pub async fn interface(store: &Store, network: &Network, typed: &str) -> Result<Interface> {
    if network.link(typed).await?.is_none() {
        let known = identity::all(store)?;
        let renamed: Vec<&Known> = known.iter().filter(|known| was_called(known, typed)).collect();
        if let Some(first) = renamed.first() {
            let now = &first.attachment.interface;
            if renamed.iter().any(|known| known.attachment.interface != *now) {
                bail!(
                    "two interfaces were called {typed}; see `status` for what they are called now"
                );
            }
            return network.interface(now).await;
        }
    }
    network.interface(typed).await
}

/// Where the pins of `role` at `interface` are, or are to be. What is there already is this interface's, or what is left
/// of one that is gone.
///
/// # Errors
///
/// Where another network namespace has that place.
pub fn place_of(store: &Store, interface: &Interface, role: Role) -> Result<Attachment> {
    let known = of_role(store, role)?;
    if let Some(at) = known.iter().find(|known| is_at(known, interface)) {
        return Ok(at.attachment.clone());
    }
    let wanted = store.attachment(&interface.name, role);
    let there = known.iter().find(|known| known.attachment.directory() == wanted.directory());
    match there.map(|known| known.place) {
        None | Some(Place::InterfaceGone | Place::EndedElsewhere(_)) => Ok(wanted),
        Some(Place::Elsewhere(namespace)) => {
            bail!(Failure::OtherNamespace { role, interface: interface.name.clone(), namespace })
        }
        Some(Place::Here) => Ok(store.attachment_beside(&interface.name, interface.index, role)),
    }
}

/// The attachment of `role` at `interface`, which has to be there.
///
/// # Errors
///
/// Where it is not, is half made, another version's, another network namespace's, or of another interface by the same
/// name.
pub fn attached(store: &Store, interface: &Interface, role: Role) -> Result<Attachment> {
    let known = of_role(store, role)?;
    if let Some(at) = known.iter().find(|known| is_at(known, interface)) {
        if meta::is_complete(&at.attachment) {
            meta::read(&at.attachment)?;
            return Ok(at.attachment.clone());
        }
        bail!(Failure::NotAttached { role: Some(role), interface: interface.name.clone() });
    }
    let by_name = known.iter().find(|known| known.attachment.attached_as == interface.name);
    bail!(absent(by_name, Some(role), &interface.name))
}

/// Those of `known` that `typed` means, for verbs that need no interface: at the interface that is called so, or was when
/// it was last seen, whichever network namespace that was in.
///
/// # Errors
///
/// Where there is none.
pub fn named(known: Vec<Known>, role: Option<Role>, typed: &str) -> Result<Vec<Known>> {
    let is_taken = nix::net::if_::if_nametoindex(typed).is_ok();
    named_where(known, role, typed, is_taken)
}

/// `is_taken` says whether an interface is called so in this network namespace.
fn named_where(
    known: Vec<Known>,
    role: Option<Role>,
    typed: &str,
    is_taken: bool,
) -> Result<Vec<Known>> {
    let is_meant = |known: &Known| match known.place {
        Place::Here => {
            known.attachment.interface == typed || (!is_taken && was_called(known, typed))
        }
        Place::InterfaceGone | Place::Elsewhere(_) | Place::EndedElsewhere(_) => {
            known.attachment.attached_as == typed
        }
    };
    let by_name = known.iter().find(|known| known.attachment.attached_as == typed).cloned();
    let found: Vec<Known> = known.into_iter().filter(is_meant).collect();
    if found.is_empty() {
        bail!(absent(by_name.as_ref(), role, typed));
    }
    Ok(found)
}

/// Those of `role` in this network namespace, or the one at `interface`, where there has to be one. What is half made is
/// none.
///
/// # Errors
///
/// Where there is none at `interface`, it is another network namespace's, or one is another version's.
pub fn all_attached(store: &Store, role: Role, interface: Option<&str>) -> Result<Vec<Attachment>> {
    let mut known = of_role(store, role)?;
    known.retain(|known| meta::is_complete(&known.attachment));
    if let Some(interface) = interface {
        known = named(known, Some(role), interface)?;
    }
    let (here, elsewhere): (Vec<Known>, Vec<Known>) =
        known.into_iter().partition(|known| known.place.elsewhere().is_none());
    if let (Some(interface), [first, ..], []) = (interface, &elsewhere[..], &here[..]) {
        bail!(absent(Some(first), Some(role), interface));
    }
    if let Some(line) = not_here(&elsewhere) {
        log::warn!("{line}");
    }
    for Known { attachment, .. } in &here {
        meta::read(attachment)?;
    }
    Ok(here.into_iter().map(|known| known.attachment).collect())
}

/// What there is that only another network namespace's agent may change, in a line.
pub fn not_here(elsewhere: &[Known]) -> Option<String> {
    let each = elsewhere.iter().filter_map(|known| {
        let Attachment { attached_as, role, .. } = &known.attachment;
        Some(format!("{attached_as} {role} ({})", known.place.elsewhere()?))
    });
    let all = each.collect::<Vec<_>>().join(", ");
    (!all.is_empty()).then(|| format!("left alone, as attached in other network namespaces: {all}"))
}

/// Why there is nothing at the interface that was typed: it is known by this name, but not here, or not by now.
pub fn absent(by_name: Option<&Known>, role: Option<Role>, typed: &str) -> Failure {
    let interface = typed.to_owned();
    match by_name {
        Some(Known { attachment, place: Place::Elsewhere(namespace), .. }) => {
            Failure::OtherNamespace { role: attachment.role, interface, namespace: *namespace }
        }
        Some(Known { attachment, place: Place::Here, .. }) if attachment.interface != typed => {
            Failure::Renamed { interface, now: attachment.interface.clone() }
        }
        _ => Failure::NotAttached { role, interface },
    }
}

fn of_role(store: &Store, role: Role) -> Result<Vec<Known>> {
    let mut known = identity::all(store)?;
    known.retain(|known| known.attachment.role == role);
    Ok(known)
}

fn is_at(known: &Known, interface: &Interface) -> bool {
    // What is half made may have no index yet, and has a name.
    known.place == Place::Here
        && (known.ifindex() == interface.index
            || (known.ifindex() == 0 && known.attachment.interface == interface.name))
}

fn was_called(known: &Known, name: &str) -> bool {
    known.place == Place::Here && known.attachment.attached_as == name
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::net::namespace::Namespace;

    const OTHER: Namespace = Namespace { cookie: 7, inode: 4_026_532_000 };

    /// Attached as `attached_as`, called `interface` by now.
    fn known(attached_as: &str, interface: &str, place: Place) -> Known {
        let store = Store::open(Path::new("/")).unwrap();
        let mut attachment = store.attachment(attached_as, Role::Source);
        attachment.interface = interface.into();
        Known { attachment, place, meta: None }
    }

    /// What `typed` means, by the names that they have now, or why nothing.
    fn meant(known: &[Known], typed: &str, is_taken: bool) -> Result<Vec<String>, String> {
        named_where(known.to_vec(), None, typed, is_taken)
            .map(|found| found.into_iter().map(|known| known.attachment.interface).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_name_means_who_has_it() {
        let all = [
            known("eth0", "lan0", Place::Here),
            known("eth0", "eth0", Place::Here),
            known("eth1", "eth1", Place::InterfaceGone),
        ];
        assert_eq!(meant(&all, "lan0", true).unwrap(), ["lan0"]);
        assert_eq!(meant(&all, "eth0", true).unwrap(), ["eth0"]);
        assert_eq!(meant(&all, "eth1", false).unwrap(), ["eth1"]);
        assert!(meant(&all, "eth2", true).unwrap_err().contains("nothing is attached to eth2"));
    }

    #[test]
    fn a_former_name_does_while_no_other_has_it() {
        let all = [known("eth0", "lan0", Place::Here)];
        assert_eq!(meant(&all, "eth0", false).unwrap(), ["lan0"]);
        let refused = meant(&all, "eth0", true).unwrap_err();
        assert!(refused.contains("lan0"), "{refused}");
    }

    #[test]
    fn other_namespaces_are_named() {
        let all = [
            known("eth0", "eth0", Place::Elsewhere(OTHER)),
            known("eth1", "eth1", Place::EndedElsewhere(OTHER)),
            known("eth2", "eth2", Place::Here),
        ];
        assert_eq!(meant(&all, "eth0", true).unwrap(), ["eth0"]);
        assert_eq!(
            not_here(&all).unwrap(),
            "left alone, as attached in other network namespaces: eth0 source (network namespace 4026532000)"
        );
        assert_eq!(not_here(&all[1..]), None);
    }
}
