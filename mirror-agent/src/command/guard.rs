//! `guard`: drops what a new host might still send to clients.

use anyhow::Result;

use crate::{
    cli,
    guard::servers,
    kernel::{
        object::{self, Settings},
        pins::{Attachment, Role, Store},
        xdp::{self, Mode},
    },
    lifecycle::remove,
    net::netlink::{Interface, Network},
};

/// Runs the verb.
pub(super) async fn run(store: &Store, arguments: &cli::Guard) -> Result<()> {
    let network = Network::connect()?;
    let interface = network.interface(&arguments.interface).await?;

    let _lock = store.lock()?;
    let attachment = store.attachment(&interface.name, Role::Guard);
    let fresh = remove::clear_if_stale(&network, &attachment, &interface).await?;
    let result = install(&network, &attachment, &interface, arguments).await;
    if result.is_err() && fresh {
        remove::remove(&network, &attachment).await?;
    }
    let mode = result?;

    let senders: Vec<String> = arguments.from.iter().map(ToString::to_string).collect();
    println!(
        "{}: {} all that {} sends ({mode} XDP)",
        interface.name,
        if fresh { "drops" } else { "was guarded already; it drops" },
        senders.join(", ")
    );
    interface.warn_if_down();
    Ok(())
}

/// Loads, fills the table, and attaches.
async fn install(
    network: &Network,
    attachment: &Attachment,
    interface: &Interface,
    arguments: &cli::Guard,
) -> Result<Mode> {
    attachment.create()?;
    let settings = Settings::guard(interface.index);
    let mut ebpf = object::load(attachment, &settings)?;
    servers::set(attachment, &arguments.from)?;
    let place = ("guard_ingress", interface);
    let mode = xdp::attach(network, &mut ebpf, attachment, place, arguments.mode.wanted()).await?;
    object::write_meta(attachment, &settings)?;
    Ok(mode)
}
