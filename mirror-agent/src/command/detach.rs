//! `detach`: takes programs off and leaves nothing behind.

use anyhow::{Result, bail};

use crate::{
    cli,
    kernel::{
        clock,
        failure::Failure,
        identity::{self, Known, Place},
        meta,
        pins::{Attachment, Store},
    },
    lifecycle::{
        attached::{absent, named, not_here},
        remove::remove,
    },
    net::netlink::Network,
    output::{self, Detached},
};

/// Runs the verb.
pub(super) async fn run(store: &Store, arguments: &cli::Detach) -> Result<()> {
    let network = Network::connect()?;
    if let Err(why) = store.check_mounted() {
        check_interface(&network, arguments).await?;
        return output::line(&format!("{why:#}"));
    }
    let _lock = store.lock()?;
    let mut known = identity::all(store)?;
    if let Some(interface) = &arguments.interface {
        known = match named(known, arguments.role, interface) {
            Ok(named) => named,
            Err(error) => match error.downcast_ref::<Failure>() {
                Some(Failure::NotAttached { .. }) => Vec::new(),
                _ => return Err(error),
            },
        };
    }
    if known.is_empty() {
        check_interface(&network, arguments).await?;
    }
    if let Some(role) = arguments.role {
        known.retain(|known| known.attachment.role == role);
    }
    let (elsewhere, here): (Vec<Known>, Vec<Known>) =
        known.into_iter().partition(|known| known.place.elsewhere().is_some());
    if here.is_empty() {
        if let (Some(interface), Some(first)) = (&arguments.interface, elsewhere.first()) {
            bail!(absent(Some(first), arguments.role, interface));
        }
        output::line(&nothing(arguments))?;
    }
    let mut failed = Vec::new();
    for known in &here {
        // One that stays is no reason to leave others.
        if let Err(error) = detach(&network, known).await {
            let Attachment { interface, role, .. } = &known.attachment;
            failed.push(format!("{interface}: {role}: {error:#}"));
        }
    }
    if let Some(others) = not_here(&elsewhere) {
        output::report(&(others + "\n"))?;
    }
    if !failed.is_empty() {
        bail!("not all was taken off: {}", failed.join("; "));
    }
    Ok(())
}

async fn detach(network: &Network, known: &Known) -> Result<()> {
    let attachment = &known.attachment;
    let meta = known.meta.filter(|meta| meta.abi != 0);
    let now = clock::wall().as_secs();
    let told = match known.place {
        // Nothing of it is in this network namespace.
        Place::EndedElsewhere(_) => {
            attachment.remove()?;
            0
        }
        Place::Here | Place::InterfaceGone | Place::Elsewhere(_) => {
            remove(network, attachment).await?
        }
    };
    let version = meta.as_ref().filter(|meta| meta::is_other_version(meta)).map(meta::version);
    output::report(
        &(output::detached_line(&Detached {
            interface: &attachment.interface,
            role: attachment.role,
            age: meta.map(|meta| now.saturating_sub(meta.attached_at)),
            other_version: version.as_deref(),
            told,
        }) + "\n"),
    )
}

/// Refuses a name that is a typing error, to all appearances.
async fn check_interface(network: &Network, arguments: &cli::Detach) -> Result<()> {
    if let Some(name) = &arguments.interface
        && network.link(name).await?.is_none()
    {
        let known = network.interface_names().await?;
        bail!(Failure::NoInterface { name: name.clone(), known });
    }
    Ok(())
}

/// What to say where there is nothing to do.
fn nothing(arguments: &cli::Detach) -> String {
    let what = arguments.role.map_or("nothing".to_owned(), |role| format!("no {role}"));
    match &arguments.interface {
        Some(interface) => format!("{interface}: {what} is attached"),
        None => format!("{what} is attached"),
    }
}
