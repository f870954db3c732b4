//! `guard`: drops what a new host might still send to clients.

use anyhow::Result;

use crate::{
    cli,
    guard::servers,
    kernel::{
        attach::xdp::{self, Mode},
        meta, object,
        pins::{Attachment, Role, Store},
        settings::Settings,
    },
    lifecycle::install::install,
    net::netlink::{Interface, Network},
    output,
};

/// Runs the verb.
pub(super) async fn run(store: &Store, arguments: &cli::Guard) -> Result<()> {
    let network = Network::connect()?;
    let interface = network.interface(&arguments.interface).await?;

    let make = async |attachment: &Attachment, fresh: bool| {
        Ok((load(&network, attachment, &interface, arguments).await?, fresh))
    };
    let (mode, fresh) = install(store, &network, (Role::Guard, &interface), make).await?;

    let senders: Vec<String> = arguments.from.iter().map(ToString::to_string).collect();
    output::line(&format!(
        "{}: {} all that {} sends ({mode} XDP)",
        interface.name,
        if fresh { "drops" } else { "was guarded already; it drops" },
        senders.join(", ")
    ))?;
    interface.warn_if_down();
    Ok(())
}

/// Loads, fills the table, and attaches.
async fn load(
    network: &Network,
    attachment: &Attachment,
    interface: &Interface,
    arguments: &cli::Guard,
) -> Result<Mode> {
    attachment.create()?;
    let settings = Settings::Guard { ifindex: interface.index };
    let mut ebpf = object::load(attachment, &settings)?;
    servers::set(attachment, &arguments.from)?;
    let place = ("guard_ingress", interface);
    let mode = xdp::attach(network, &mut ebpf, attachment, place, arguments.mode.wanted()).await?;
    meta::write(attachment, &settings)?;
    Ok(mode)
}
