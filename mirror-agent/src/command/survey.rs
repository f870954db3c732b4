//! Looks at everything that is attached: what `stats`, `status` and `--foreground` show.

use anyhow::Result;
use mirror_common::abi::{Meta, SourceCounter};
use rtnetlink::packet_route::link::{LinkFlags, LinkMessage};

use crate::{
    guard::servers,
    kernel::{
        attach::{before, hook::Mechanism, mechanism_of, xdp},
        clock::{self, Now},
        fallback::Fallback,
        identity::{self, Known, Place},
        maps, meta,
        pins::{Attachment, Role, Store},
    },
    lifecycle::{attached::named, connection_limit},
    net::{namespace::Namespace, netlink::Network, sock_diag},
    output::{
        Detail, Identity, Origin, RoleDetail, SelectionState, ServedPort, State, TargetDetail,
    },
    source::{config::MirrorConfig, copy_device, mappings::in_use, selection_table, surroundings},
    stats::{
        condition::Condition,
        connections::Connections,
        health::{self, Facts},
        snapshot,
        tally::{self, Tally},
    },
    target::{
        allowed_macs,
        hold_device::{self, HoldQueue},
        ports, receive_buffer, ways_out,
    },
};

/// Everything that is attached, or only what is at `interface`, where something has to be.
pub(super) async fn all(
    store: &Store,
    network: &Network,
    interface: Option<&str>,
) -> Result<Vec<State>> {
    let mut found = Vec::new();
    for known in attachments(store, interface)? {
        found.push(one(network, &known).await?);
    }
    Ok(found)
}

/// The same, with what each source does not see where it stands. What cannot be found out stays out.
pub(super) async fn all_with_notes(
    store: &Store,
    network: &Network,
    interface: Option<&str>,
) -> Result<Vec<State>> {
    let mut found = Vec::new();
    for known in attachments(store, interface)? {
        let mut state = one(network, &known).await?;
        if state.role == Role::Source
            && state.condition == Condition::Running
            && let Ok(config) = MirrorConfig::read(&known.attachment)
        {
            state.notes = surroundings::notes(network, &state.interface, &config).await;
        }
        found.push(state);
    }
    Ok(found)
}

/// What there is, without a look at it.
pub(super) fn attachments(store: &Store, interface: Option<&str>) -> Result<Vec<Known>> {
    let found = identity::all(store)?;
    match interface {
        Some(interface) => named(found, None, interface),
        None => Ok(found),
    }
}

/// One attachment.
pub(super) async fn one(network: &Network, known: &Known) -> Result<State> {
    let Known { attachment, meta, .. } = known;
    let mut state = State {
        interface: attachment.interface.clone(),
        role: attachment.role,
        condition: version_of(attachment, meta.as_ref()),
        health: health::Health::OK,
        origin: meta.as_ref().filter(|meta| meta.abi != 0).map(origin),
        detail: None,
        warnings: Vec::new(),
        notes: Vec::new(),
        identity: identity_of(known),
    };
    if let Some(meta) = meta.filter(|_| state.condition == Condition::Running) {
        let link = link(network, known).await?;
        state.condition = condition(network, known, link.as_ref()).await?;
        if link.is_some() {
            state.warnings.extend(before::warnings(&attachment.interface, attachment.role));
        }
        if attachment.role == Role::Source && link.is_some() {
            state.warnings.extend(surroundings::warnings(&attachment.interface).await);
        }
        if attachment.role == Role::Target && link.is_some() {
            state.warnings.extend(ways_out::warning(attachment, network, meta.ifindex).await?);
        }
        let detail = detail(network, known, &meta, link.as_ref()).await?;
        if let (RoleDetail::Target(target), Some(_)) = (&detail.role, &link) {
            let served: Vec<u16> = target.ports.iter().map(|served| served.port).collect();
            state.warnings.extend(connection_limit::warnings(&served));
        }
        state.condition = expired(state.condition, &detail);
        state.detail = Some(detail);
    }
    judge(&mut state, None);
    Ok(state)
}

/// Reads the counters anew, and looks whether the interface is still there. All else stays as it was seen.
pub(super) async fn refresh(network: &Network, known: &Known, state: &mut State) -> Result<()> {
    let Known { attachment, meta, .. } = known;
    state.condition = version_of(attachment, meta.as_ref());
    let Some(detail) = &mut state.detail else { return Ok(()) };
    if state.condition != Condition::Running {
        return Ok(());
    }
    detail.snapshot = snapshot::read(attachment)?;
    match &mut detail.role {
        RoleDetail::Source { selection, .. } => {
            *selection = SelectionState::of(&selection_table::read(attachment)?, Now::read()?);
        }
        RoleDetail::Target(target) => target.leaked = ports::has_leaked(attachment)?,
        RoleDetail::Guard { .. } => {}
    }
    let link = link(network, known).await?;
    state.condition = expired(condition(network, known, link.as_ref()).await?, detail);
    Ok(())
}

/// Gives the verdict, with what happened of late, where that is known.
pub(super) fn judge(state: &mut State, recent: Option<&Tally>) {
    let total = state.detail.as_ref().map(Detail::tally).unwrap_or_default();
    let (served, silent, leaked) = match state.detail.as_ref().map(|detail| &detail.role) {
        Some(RoleDetail::Target(target)) => (target.ports.len(), silent(target), target.leaked),
        _ => (0, Vec::new(), false),
    };
    state.health = health::judge(Facts {
        role: state.role,
        condition: state.condition,
        total: &total,
        recent,
        served,
        silent: &silent,
        no_socket: no_socket(state),
        leaked,
    });
}

/// Of a source, what was left out since no socket takes it, and what was mirrored.
fn no_socket(state: &State) -> [u64; 2] {
    let counters = state.detail.as_ref().map(|detail| &detail.snapshot.counters);
    [SourceCounter::SkippedNoSocket, SourceCounter::Mirrored]
        .map(|counter| counters.map_or(0, |counters| tally::value(counters, counter.name())))
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

/// What is not as the interface's name says.
fn identity_of(known: &Known) -> Identity {
    let Attachment { interface, attached_as, .. } = &known.attachment;
    let namespace = known.meta.as_ref().and_then(meta::namespace);
    Identity {
        attached_as: (interface != attached_as).then(|| attached_as.clone()),
        namespace: namespace.map(|namespace| namespace.inode),
        elsewhere: known.place.elsewhere().is_some(),
        prefix: known.place.elsewhere().and_then(Namespace::prefix),
    }
}

/// The interface, where it is one of this network namespace.
async fn link(network: &Network, known: &Known) -> Result<Option<LinkMessage>> {
    match known.place {
        Place::Here => network.link(&known.attachment.interface).await,
        Place::InterfaceGone | Place::Elsewhere(_) | Place::EndedElsewhere(_) => Ok(None),
    }
}

/// Whether what is attached can work: the interface, and what goes with it.
async fn condition(
    network: &Network,
    known: &Known,
    link: Option<&LinkMessage>,
) -> Result<Condition> {
    let condition = at(known.place, link);
    let needs_device = known.attachment.role == Role::Source && condition == Condition::Running;
    Ok(match needs_device && !copy_device::exists(network, known.ifindex()).await? {
        true => Condition::CopyDeviceGone,
        false => condition,
    })
}

/// Whether the interface is there and up.
fn at(place: Place, link: Option<&LinkMessage>) -> Condition {
    match (place, link) {
        (Place::Elsewhere(_), _) => Condition::OtherNamespace,
        (Place::EndedElsewhere(_), _) => Condition::EndedElsewhere,
        (Place::Here, Some(link)) if link.header.flags.contains(LinkFlags::Up) => {
            Condition::Running
        }
        (Place::Here, Some(_)) => Condition::InterfaceDown,
        (Place::Here, None) | (Place::InterfaceGone, _) => Condition::InterfaceGone,
    }
}

/// `condition`, unless it works and its time is over.
fn expired(condition: Condition, detail: &Detail) -> Condition {
    match &detail.role {
        RoleDetail::Source { selection, .. }
            if condition.works()
                && selection.deadline.is_some_and(|deadline| deadline.left == 0) =>
        {
            Condition::Expired
        }
        _ => condition,
    }
}

async fn detail(
    network: &Network,
    known: &Known,
    meta: &Meta,
    link: Option<&LinkMessage>,
) -> Result<Detail> {
    let attachment = &known.attachment;
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
            let target = target(network, known, meta).await?;
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

async fn target(network: &Network, known: &Known, meta: &Meta) -> Result<TargetDetail> {
    let attachment = &known.attachment;
    let served = ports::served(attachment)?;
    // Sockets and devices of another network namespace cannot be seen from here.
    let is_seen = matches!(known.place, Place::Here | Place::InterfaceGone);
    let open = match is_seen.then(sock_diag::open_ports) {
        Some(Ok(open)) => Some(open),
        Some(Err(error)) => {
            log::warn!("cannot tell whether memcached listens ({error:#})");
            None
        }
        None => None,
    };
    let listens = |port: u16| open.as_ref().map(|open| open.contains(&port));
    Ok(TargetDetail {
        magic: meta.seal,
        shortages: match is_seen {
            true => receive_buffer::shortages(&served, meta.receive_buffer),
            false => Vec::new(),
        },
        ports: served.into_iter().map(|port| ServedPort { port, listens: listens(port) }).collect(),
        allowed_macs: allowed_macs::get(attachment)?.into_iter().map(allowed_macs::text).collect(),
        max_connections: meta.max_connections,
        leaked: ports::has_leaked(attachment)?,
        connections: Connections::read(attachment)?,
        hold_queue: match is_seen {
            true => HoldQueue::of(network, hold_device::names(meta.ifindex)).await?,
            false => None,
        },
    })
}
