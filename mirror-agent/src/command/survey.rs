//! Looks at everything that is attached: what `stats`, `status` and `--foreground` show.

use anyhow::{Result, bail};
use mirror_common::abi::Meta;
use rtnetlink::packet_route::link::{LinkFlags, LinkMessage};

use crate::{
    guard::servers,
    kernel::{
        attach::{hook::Mechanism, mechanism_of, xdp},
        clock::{self, Now},
        failure::Failure,
        fallback::Fallback,
        maps, meta,
        pins::{Attachment, Role, Store},
    },
    net::{netlink::Network, offload, sock_diag},
    output::{Detail, Origin, RoleDetail, SelectionState, ServedPort, State, TargetDetail},
    source::{copy_device, mappings::in_use, selection_table},
    stats::{
        condition::Condition,
        connections::Connections,
        health::{self, Facts},
        snapshot,
        tally::Tally,
    },
    target::{
        allowed_macs,
        hold_device::{self, HoldQueue},
        ports, receive_buffer,
    },
};

/// Everything that is attached, or only what is at `interface`, where something has to be.
pub(super) async fn all(
    store: &Store,
    network: &Network,
    interface: Option<&str>,
) -> Result<Vec<State>> {
    let mut found = Vec::new();
    for attachment in attachments(store, interface)? {
        found.push(one(network, &attachment).await?);
    }
    Ok(found)
}

/// The same without a look at it.
pub(super) fn attachments(store: &Store, interface: Option<&str>) -> Result<Vec<Attachment>> {
    let mut found = store.attachments()?;
    if let Some(interface) = interface {
        found.retain(|attachment| attachment.interface == interface);
        if found.is_empty() {
            bail!(Failure::NotAttached { role: None, interface: interface.to_owned() });
        }
    }
    Ok(found)
}

/// One attachment.
pub(super) async fn one(network: &Network, attachment: &Attachment) -> Result<State> {
    let meta = meta::of_any_version(attachment);
    let mut warnings = Vec::new();
    let mut state = State {
        interface: attachment.interface.clone(),
        role: attachment.role,
        condition: version_of(attachment, meta.as_ref()),
        health: health::Health::OK,
        origin: meta.as_ref().filter(|meta| meta.abi != 0).map(origin),
        detail: None,
        warnings: Vec::new(),
    };
    if let Some(meta) = meta.filter(|_| state.condition == Condition::Running) {
        let link = network.link(&attachment.interface).await?;
        state.condition = at_link(network, &meta, link.as_ref(), &mut warnings).await;
        if attachment.role == Role::Source
            && state.condition == Condition::Running
            && !copy_device::exists(network, meta.ifindex).await?
        {
            state.condition = Condition::CopyDeviceGone;
        }
        if attachment.role == Role::Source && link.is_some() {
            warnings.extend(offload::warnings(&attachment.interface).await);
        }
        let detail = detail(network, attachment, &meta, link.as_ref()).await?;
        if state.condition == Condition::Running && has_expired(&detail) {
            state.condition = Condition::Expired;
        }
        state.detail = Some(detail);
    }
    state.warnings = warnings;
    judge(&mut state, None);
    Ok(state)
}

/// Reads the counters anew, and looks whether the interface is still there. All else stays as it was seen.
pub(super) async fn refresh(
    network: &Network,
    attachment: &Attachment,
    state: &mut State,
) -> Result<()> {
    let meta = meta::of_any_version(attachment);
    state.condition = version_of(attachment, meta.as_ref());
    let Some(detail) = &mut state.detail else { return Ok(()) };
    let Some(meta) = meta.filter(|_| state.condition == Condition::Running) else { return Ok(()) };
    detail.snapshot = snapshot::read(attachment)?;
    if let RoleDetail::Source { selection, .. } = &mut detail.role {
        *selection = SelectionState::of(&selection_table::read(attachment)?, Now::read()?);
    }
    let link = network.link(&attachment.interface).await?;
    state.condition = at_link(network, &meta, link.as_ref(), &mut Vec::new()).await;
    if state.condition == Condition::Running && has_expired(detail) {
        state.condition = Condition::Expired;
    }
    Ok(())
}

/// Gives the verdict, with what happened of late, where that is known.
pub(super) fn judge(state: &mut State, recent: Option<&Tally>) {
    let total = state.detail.as_ref().map(Detail::tally).unwrap_or_default();
    let (served, silent) = match state.detail.as_ref().map(|detail| &detail.role) {
        Some(RoleDetail::Target(target)) => (target.ports.len(), silent(target)),
        _ => (0, Vec::new()),
    };
    state.health = health::judge(Facts {
        role: state.role,
        condition: state.condition,
        total: &total,
        recent,
        served,
        silent: &silent,
    });
}

/// Ports at which nothing listens. Not where a memcached speaks all the same: it may be in another network
/// namespace.
fn silent(target: &TargetDetail) -> Vec<u16> {
    let is_silent = |port: &&ServedPort| {
        port.listens == Some(false) && !target.connections.open_ports.contains(&port.port)
    };
    target.ports.iter().filter(is_silent).map(|port| port.port).collect()
}

fn version_of(attachment: &Attachment, meta: Option<&Meta>) -> Condition {
    match meta.map(|meta| meta.abi) {
        Some(Meta::ABI) => Condition::Running,
        Some(0) => Condition::Incomplete,
        Some(_) => Condition::OtherVersion,
        None if !maps::has_meta(attachment) => Condition::Incomplete,
        None => Condition::OtherVersion,
    }
}

fn origin(meta: &Meta) -> Origin {
    let now = clock::wall().as_secs();
    Origin {
        attached_at: meta.attached_at,
        age: now.saturating_sub(meta.attached_at),
        version: meta::version(meta),
    }
}

/// Whether the interface is there and up. One that was renamed is.
async fn at_link(
    network: &Network,
    meta: &Meta,
    link: Option<&LinkMessage>,
    warnings: &mut Vec<String>,
) -> Condition {
    match link.filter(|link| link.header.index == meta.ifindex) {
        Some(link) if link.header.flags.contains(LinkFlags::Up) => Condition::Running,
        Some(_) => Condition::InterfaceDown,
        None => match network.interface_name(meta.ifindex).await {
            Ok(name) => {
                warnings.push(format!("the interface is called {name} by now"));
                Condition::Running
            }
            Err(_) => Condition::InterfaceGone,
        },
    }
}

fn has_expired(detail: &Detail) -> bool {
    match &detail.role {
        RoleDetail::Source { selection, .. } => {
            selection.deadline.is_some_and(|deadline| deadline.left == 0)
        }
        RoleDetail::Target(_) | RoleDetail::Guard { .. } => false,
    }
}

async fn detail(
    network: &Network,
    attachment: &Attachment,
    meta: &Meta,
    link: Option<&LinkMessage>,
) -> Result<Detail> {
    let snapshot = snapshot::read(attachment)?;
    let hook = mechanism_of(attachment)?;
    let mut fallbacks = Vec::new();
    if hook == Some(Mechanism::Clsact) {
        fallbacks.push(Fallback::Clsact);
    }
    let role = match attachment.role {
        Role::Source => RoleDetail::Source {
            magic: meta.seal,
            redundancy: meta.redundancy,
            maps: in_use(attachment)?.into_values().collect(),
            selection: SelectionState::of(&selection_table::read(attachment)?, Now::read()?),
        },
        Role::Target => {
            let target = target(network, attachment, meta).await?;
            fallbacks.extend(target.hold_queue.into_iter().flat_map(HoldQueue::fallbacks));
            RoleDetail::Target(Box::new(target))
        }
        Role::Guard => {
            let mode = link.and_then(xdp::attached).and_then(|there| there.mode);
            if mode == Some(xdp::Mode::Generic) {
                fallbacks.push(Fallback::GenericXdp);
            }
            RoleDetail::Guard { guarded_servers: servers::get(attachment)?, mode }
        }
    };
    Ok(Detail { changed_at: meta.changed_at, hook, fallbacks, snapshot, role })
}

async fn target(network: &Network, attachment: &Attachment, meta: &Meta) -> Result<TargetDetail> {
    let served = ports::served(attachment)?;
    let open = match sock_diag::open_ports() {
        Ok(open) => Some(open),
        Err(error) => {
            log::warn!("cannot tell whether memcached listens ({error:#})");
            None
        }
    };
    let listens = |port: u16| open.as_ref().map(|open| open.contains(&port));
    Ok(TargetDetail {
        magic: meta.seal,
        shortages: receive_buffer::shortages(&served, meta.receive_buffer),
        ports: served.into_iter().map(|port| ServedPort { port, listens: listens(port) }).collect(),
        allowed_macs: allowed_macs::get(attachment)?.into_iter().map(allowed_macs::text).collect(),
        max_connections: meta.max_connections,
        connections: Connections::read(attachment)?,
        hold_queue: HoldQueue::of(network, hold_device::names(meta.ifindex)).await?,
    })
}
