//! `status`: shows what is attached where, since when, by which version.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

use crate::{
    cli,
    guard::servers,
    kernel::{
        attach::xdp,
        clock::Now,
        meta,
        pins::{Attachment, Role, Store},
    },
    net::{netlink::Network, offload},
    output::{self, SelectionState, State},
    source::{mappings::in_use, selection_table},
    target::{allowed_macs, ports, receive_buffer},
};

/// Runs the verb.
pub(super) async fn run(store: &Store, arguments: &cli::Status) -> Result<()> {
    let network = Network::connect()?;
    let mut states = Vec::new();
    for attachment in store.attachments()? {
        if !meta::is_complete(&attachment) {
            log::warn!(
                "{}: the {} is being attached right now, or an agent was killed while it did so; \
                 if it stays like this, attach again, or detach",
                attachment.interface,
                attachment.role
            );
            continue;
        }
        states.push(state(&network, &attachment).await?);
    }
    if arguments.json {
        output::line(&output::status_json(&states))
    } else {
        output::print(&output::status_table(&states))
    }
}

async fn state(network: &Network, attachment: &Attachment) -> Result<State> {
    let meta = meta::read(attachment)?;
    let link = network.link(&attachment.interface).await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (mut maps, mut selection, mut ports, mut from) = (Vec::new(), None, Vec::new(), Vec::new());
    let (mut shortages, mut senders) = (Vec::new(), Vec::new());
    let (mut mode, mut warnings) = (None, Vec::new());
    match attachment.role {
        Role::Source => {
            maps = in_use(attachment)?.into_values().collect();
            selection = Some(SelectionState::of(&selection_table::read(attachment)?, Now::read()?));
            if link.is_some() {
                warnings = offload::warnings(&attachment.interface).await;
            }
        }
        Role::Target => {
            ports = ports::served(attachment)?;
            shortages = receive_buffer::shortages(&ports, meta.receive_buffer);
            from = allowed_macs::get(attachment)?;
        }
        Role::Guard => {
            senders = servers::get(attachment)?;
            mode = link.as_ref().and_then(xdp::attached).and_then(|there| there.mode);
        }
    }
    Ok(State {
        interface: attachment.interface.clone(),
        role: attachment.role,
        present: link.is_some_and(|link| link.header.index == meta.ifindex),
        attached_at: meta.attached_at,
        age: now.saturating_sub(meta.attached_at),
        version: meta::version(&meta),
        magic: meta.seal,
        redundancy: meta.redundancy,
        maps,
        selection,
        ports,
        shortages,
        from: from.into_iter().map(allowed_macs::text).collect(),
        senders,
        mode,
        warnings,
    })
}
