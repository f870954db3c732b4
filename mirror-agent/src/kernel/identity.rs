//! Whose an attachment is: in which network namespace it was made, and at which interface, whatever that is called by
//! now.
//!
//! An interface has its index as long as it exists, and a network namespace its cookie: names change, and others get
//! them. The pins' directories are called by names, for people, and are nothing but places.

use std::ffi::CStr;

use anyhow::Result;
use mirror_common::abi::Meta;
use nix::net::if_::{if_indextoname, if_nametoindex};

use crate::{
    kernel::{
        attach::clsact,
        link, meta,
        pins::{Attachment, LINK, Store},
    },
    net::namespace::Namespace,
};

/// Where an attachment is, seen from this network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At an interface of this namespace.
    Here,
    /// It was at one, which is gone.
    InterfaceGone,
    /// In another namespace.
    Elsewhere(Namespace),
    /// It was in another namespace, and all interfaces that its programs were attached to are gone, as they go with
    /// their namespace.
    EndedElsewhere(Namespace),
}

impl Place {
    /// The other namespace, of one that lives there.
    pub const fn elsewhere(&self) -> Option<&Namespace> {
        match self {
            Self::Elsewhere(namespace) => Some(namespace),
            Self::Here | Self::InterfaceGone | Self::EndedElsewhere(_) => None,
        }
    }
}

/// An attachment, and where it is.
#[derive(Clone, Debug)]
pub struct Known {
    /// The pins, with the name that the interface has now, or the last one that is known.
    pub attachment: Attachment,
    /// Where it is.
    pub place: Place,
    /// What is remembered of it, whichever version made it; `None` where nothing can be read.
    pub meta: Option<Meta>,
}

impl Known {
    /// The index of its interface, in its network namespace; 0 where that is not known.
    pub fn ifindex(&self) -> u32 {
        self.meta.as_ref().map_or(0, |meta| meta.ifindex)
    }
}

/// All that is attached, by interface and role.
///
/// # Errors
///
/// Where the kernel does not say.
pub fn all(store: &Store) -> Result<Vec<Known>> {
    let found = store.attachments()?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let here = Namespace::current()?;
    let mut known = found
        .into_iter()
        .map(|attachment| identify(attachment, here))
        .collect::<Result<Vec<Known>>>()?;
    known.sort_by(|a, b| {
        (&a.attachment.interface, a.attachment.role)
            .cmp(&(&b.attachment.interface, b.attachment.role))
    });
    Ok(known)
}

/// What is known of one attachment by now.
///
/// # Errors
///
/// As [`all`].
pub fn of(attachment: &Attachment) -> Result<Known> {
    identify(attachment.clone(), Namespace::current()?)
}

/// What is attached in this network namespace in the same role as `attachment`, at other interfaces.
///
/// # Errors
///
/// As [`all`].
pub fn others(attachment: &Attachment) -> Result<Vec<Attachment>> {
    let mut found = all(&attachment.store()?)?;
    found.retain(|other| {
        other.place == Place::Here
            && other.attachment.role == attachment.role
            && other.attachment.directory() != attachment.directory()
    });
    Ok(found.into_iter().map(|known| known.attachment).collect())
}

fn identify(mut attachment: Attachment, here: Namespace) -> Result<Known> {
    let meta = meta::of_any_version(&attachment);
    let namespace = meta.as_ref().and_then(meta::namespace);
    let place = match namespace.filter(|namespace| namespace.cookie != here.cookie) {
        Some(namespace) if has_ended(&attachment)? => Place::EndedElsewhere(namespace),
        Some(namespace) => Place::Elsewhere(namespace),
        None => match name_now(&attachment, meta.as_ref()) {
            Some(name) => {
                attachment.interface = name;
                Place::Here
            }
            None => Place::InterfaceGone,
        },
    };
    Ok(Known { attachment, place, meta })
}

/// What its interface is called; `None` where it is gone.
fn name_now(attachment: &Attachment, meta: Option<&Meta>) -> Option<String> {
    // An index can be given again, but a link knows its own device.
    let is_gone = |hook| link::ifindex(&attachment.link(hook)).is_ok_and(|ifindex| ifindex == 0);
    if ["ingress", "xdp"].into_iter().any(is_gone) {
        return None;
    }
    let index = match meta.map(|meta| meta.ifindex).filter(|index| *index != 0) {
        Some(index) => index,
        // Nothing is written down, or cannot be read.
        None => if_nametoindex(attachment.attached_as.as_str()).ok()?,
    };
    if_indextoname(index).ok().as_deref().map(text)
}

fn text(name: &CStr) -> String {
    name.to_string_lossy().into_owned()
}

/// Whether none of its programs is attached to anything any more, wherever they were. A filter does not say.
fn has_ended(attachment: &Attachment) -> Result<bool> {
    let names = attachment.names()?;
    let ended = |name: &str| link::ifindex(&attachment.map(name)).is_ok_and(|index| index == 0);
    Ok(names
        .iter()
        .all(|name| !name.starts_with(clsact::PIN) && (!name.starts_with(LINK) || ended(name))))
}
