//! `guard` and `server`: drop what a new host might still send to clients.

use std::net::SocketAddr;

use anyhow::{Result, bail};

use super::edit::{joined, without};
use crate::{
    cli,
    config::changes::Described,
    guard::servers,
    kernel::{
        attach::xdp::{self, Mode},
        meta, object,
        pins::{Attachment, Role, Store},
        settings::Settings,
    },
    lifecycle::{attached, install::install},
    net::netlink::{Interface, Network},
    output,
};

/// Runs `guard`.
pub(super) async fn run(store: &Store, arguments: &cli::Guard) -> Result<()> {
    let network = Network::connect()?;
    let interface = attached::interface(store, &network, &arguments.interface).await?;

    let is_told = async || told(&[], arguments).map(drop);
    let make = async |attachment: &Attachment, fresh: bool| {
        let before = if fresh { Vec::new() } else { servers::get(attachment)? };
        let after = told(&before, arguments)?;
        let mode =
            load(&network, attachment, &interface, (&after, arguments.mode.wanted())).await?;
        let report = match fresh {
            true => format!("{}: drops what these send ({mode} XDP)\n", interface.name),
            false => output::changed(&interface.name, &changes(&before, &after)),
        };
        Ok(report + &lines(&after))
    };
    let (report, replaced) =
        install(store, &network, (Role::Guard, &interface), is_told, make).await?;

    output::report(&(output::replaced(&interface.name, replaced.as_deref()) + &report))?;
    interface.warn_if_down();
    Ok(())
}

/// What is typed makes of what the guard was told.
fn told(before: &[SocketAddr], typed: &cli::Guard) -> Result<Vec<SocketAddr>> {
    let servers = joined(before, &typed.servers);
    if servers.is_empty() {
        bail!("what which memcached sends? give --server, like --server 10.0.0.5:11211");
    }
    Ok(servers)
}

/// Runs `server`.
pub(super) async fn change(store: &Store, arguments: &cli::Server) -> Result<()> {
    let edit = match arguments {
        cli::Server::Add(edit) | cli::Server::Remove(edit) => edit,
        cli::Server::List(list) => return super::list::run(store, list, Role::Guard),
    };
    let network = Network::connect()?;
    let interface = attached::interface(store, &network, &edit.interface).await?;
    let _lock = store.lock()?;
    let attachment = attached::attached(store, &interface, Role::Guard)?;
    let before = servers::get(&attachment)?;
    let after = match arguments {
        cli::Server::Remove(_) => without(&before, &edit.servers, "a guarded server")?,
        _ => joined(&before, &edit.servers),
    };
    if after.is_empty() {
        bail!("that is all that is guarded; use `detach` to end the guard");
    }
    servers::set(&attachment, &after)?;
    let report = output::changed(&interface.name, &changes(&before, &after));
    output::print(&(report + &lines(&after)))
}

fn changes(before: &[SocketAddr], after: &[SocketAddr]) -> Vec<String> {
    let described = |servers: &[SocketAddr]| Described::default().items("server", servers);
    described(before).changes_to(&described(after))
}

fn lines(servers: &[SocketAddr]) -> String {
    servers.iter().map(|server| format!("  {server}\n")).collect()
}

/// Loads, fills the table, and attaches.
async fn load(
    network: &Network,
    attachment: &Attachment,
    interface: &Interface,
    (servers, wanted): (&[SocketAddr], Option<Mode>),
) -> Result<Mode> {
    attachment.create()?;
    let settings = Settings::Guard { ifindex: interface.index };
    let mut ebpf = object::load(attachment, &settings)?;
    servers::set(attachment, servers)?;
    let place = ("guard_ingress", interface);
    let mode = xdp::attach(network, &mut ebpf, attachment, place, wanted).await?;
    meta::write(attachment, &settings)?;
    Ok(mode)
}
