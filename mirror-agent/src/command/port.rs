//! `port`: changes which ports a target serves while it does.

use anyhow::{Result, bail};

use super::edit::{joined, without};
use crate::{
    cli,
    config::ports::PortRange,
    kernel::pins::{Role, Store},
    lifecycle::attached,
    net::netlink::Network,
    output,
    target::{config::TargetConfig, ports, receive_buffer},
};

/// Runs the verb.
pub(super) async fn run(store: &Store, arguments: &cli::Port) -> Result<()> {
    match arguments {
        cli::Port::Add(edit) => {
            let more = PortRange::all(&edit.ports);
            change(store, &edit.interface, |now| Ok(joined(now, &more))).await
        }
        cli::Port::Remove(edit) => {
            change(store, &edit.interface, |now| {
                let left = without(now, &PortRange::all(&edit.ports), "a port")?;
                if left.is_empty() {
                    bail!("that is all that is served; use `detach` to end the mirror");
                }
                Ok(left)
            })
            .await
        }
        cli::Port::List(list) => super::list::run(store, list, Role::Target),
    }
}

/// Makes of the ports that are served at `interface` what `edit` makes of them.
async fn change(
    store: &Store,
    interface: &str,
    edit: impl FnOnce(&[u16]) -> Result<Vec<u16>>,
) -> Result<()> {
    let network = Network::connect()?;
    let interface = attached::interface(store, &network, interface).await?;
    let _lock = store.lock()?;
    let attachment = attached::attached(store, &interface, Role::Target)?;
    let before = TargetConfig::read(&attachment)?;
    let after = TargetConfig { ports: edit(&before.ports)?, ..before.clone() };
    let gone: Vec<u16> =
        before.ports.iter().copied().filter(|port| !after.ports.contains(port)).collect();
    let closed = ports::drain(&attachment, &gone).await?;
    receive_buffer::set(&attachment, &after.ports, after.receive_buffer);
    ports::serve(&attachment, &after.ports)?;

    let mut changes = before.describe().changes_to(&after.describe());
    if closed > 0 {
        changes.push(format!("{closed} mirrored connections of memcached's closed"));
    }
    let report = output::changed(&interface.name, &changes);
    output::print(&format!("{report}  port {}\n", PortRange::join(&after.ports)))
}
