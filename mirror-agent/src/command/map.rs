//! `map`: changes what a source copies while it does.

use anyhow::Result;

use super::{attach::report, edit};
use crate::{
    cli,
    kernel::{
        clock::Now,
        meta,
        pins::{Role, Store},
    },
    lifecycle::attached::{all_attached, attached},
    net::netlink::Network,
    output::{self, MapState, SelectionState},
    source::{config::MirrorConfig, mappings, plan::Plan},
};

/// Runs the verb.
pub(super) async fn run(store: &Store, arguments: &cli::Map) -> Result<()> {
    match arguments {
        cli::Map::Add(typed) => change(store, &typed.interface, |now| edit::add(now, typed)).await,
        cli::Map::Remove(typed) => {
            change(store, &typed.interface, |now| edit::remove(now, typed)).await
        }
        cli::Map::Set(typed) => change(store, &typed.interface, |now| edit::set(now, typed)).await,
        cli::Map::List(list) => print(store, list),
    }
}

/// Makes of what is copied at `interface` what `edit` makes of it.
async fn change(
    store: &Store,
    interface: &str,
    edit: impl FnOnce(&mut MirrorConfig) -> Result<()>,
) -> Result<()> {
    let network = Network::connect()?;
    let interface = network.interface(interface).await?;
    let _lock = store.lock()?;
    let attachment = attached(store, &interface, Role::Source)?;
    let before = MirrorConfig::read(&attachment)?;
    let mut after = before.clone();
    edit(&mut after)?;
    after.selection.multiply().check(&after.maps, after.redundancy)?;

    let plan = Plan::new(&network, &after).await?;
    mappings::change(&attachment, &plan.entries, &plan.selection).await?;
    meta::touch(&attachment)?;
    output::print(&report(&interface.name, &plan, Some(&before), &after)?)
}

/// `map list`.
fn print(store: &Store, list: &cli::ListArgs) -> Result<()> {
    let mut states = Vec::new();
    for attachment in all_attached(store, Role::Source, list.interface.as_deref())? {
        let MirrorConfig { maps, selection, .. } = MirrorConfig::read(&attachment)?;
        let selection = SelectionState::of(&selection, Now::read()?);
        states.push(MapState { interface: attachment.interface, maps, selection });
    }
    if list.json {
        output::line(&output::maps_json(&states, Now::read()?.wall.as_secs_f64()))
    } else {
        output::print(&output::maps_text(&states))
    }
}
