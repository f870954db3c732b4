//! `attach`: makes this host a source.

use anyhow::{Result, bail};
use aya::programs::TcAttachType;

use super::{edit, foreground};
use crate::{
    cli,
    kernel::{
        attach::{
            self,
            clsact::strays,
            hook::{Hook, Mechanism, Order},
        },
        clock::Now,
        meta, object,
        packet_trace::PacketTrace,
        pins::{Attachment, Role, Store},
    },
    lifecycle::{attached, install::install, listening::warn_if_nothing_listens},
    net::netlink::{Interface, Network},
    output::{self, SelectionState},
    source::{config::MirrorConfig, copy_device, mappings, plan::Plan, surroundings},
};

/// Runs the verb.
pub(super) async fn run(store: &Store, arguments: &cli::Attach) -> Result<()> {
    let network = Network::connect()?;
    let interface = attached::interface(store, &network, &arguments.interface).await?;

    let is_told = async || {
        let config = told(None, arguments)?;
        Plan::new(&network, &config).await.map(drop)
    };
    let make = async |attachment: &Attachment, fresh: bool| {
        let before = if fresh { None } else { Some(MirrorConfig::read(attachment)?) };
        let after = told(before.as_ref(), arguments)?;
        // The ways are found, and refused, before anything is touched.
        let plan = Plan::new(&network, &after).await?;
        let mechanism = attach::choose(attachment, arguments.common.hook.wanted())?;
        let trace = arguments.common.trace_packets;
        let trace =
            load(&network, attachment, &interface, (&after, mechanism, trace), &plan).await?;
        let report = report(&interface.name, &plan, before.as_ref(), &after)?;
        Ok((attachment.clone(), trace, (report, after)))
    };
    let ((attachment, trace, (report, config)), replaced) =
        install(store, &network, (Role::Source, &interface), is_told, make).await?;

    output::report(&(output::replaced(&interface.name, replaced.as_deref()) + &report))?;
    interface.warn_if_down();
    if !config.forwarded {
        warn_if_nothing_listens(Role::Source, config.maps.iter().map(|map| map.local_port));
    }
    let mut said = surroundings::warnings(&interface.name).await;
    said.extend(surroundings::notes(&network, &interface.name, &config).await);
    for line in said {
        log::warn!("{}: {line}", interface.name);
    }
    if arguments.common.foreground {
        foreground::run(store, &network, &[attachment], trace).await?;
    }
    Ok(())
}

/// What is typed makes of what the source was told.
fn told(before: Option<&MirrorConfig>, typed: &cli::Attach) -> Result<MirrorConfig> {
    let fresh = || MirrorConfig::fresh(typed.common.magic(None));
    let mut config = before.cloned().unwrap_or_else(fresh);
    config.magic = typed.common.magic(Some(config.magic.0));
    edit::attach(&mut config, typed)?;
    if config.maps.is_empty() {
        bail!("what is to be copied, and where to? give --map, like --map 11211=10.0.0.5:11211");
    }
    config.selection.multiply().check(&config.maps, config.redundancy)?;
    Ok(config)
}

/// Tells targets of the connections that are mirrored no more, and says what changed and what is mirrored now.
pub(super) fn report(
    interface: &str,
    plan: &Plan,
    before: Option<&MirrorConfig>,
    after: &MirrorConfig,
) -> Result<String> {
    let now = Now::read()?;
    let head = match before {
        None => format!("{interface}: attached\n"),
        Some(before) => {
            let mut changes = before.describe(now).changes_to(&after.describe(now));
            changes.extend(plan.send_teardown(interface, before));
            output::changed(interface, &changes)
        }
    };
    let selection = SelectionState::of(&after.selection, now);
    Ok(head + &output::source_lines(&after.maps, &selection))
}

/// Loads, attaches, and fills the tables, ingress last.
async fn load(
    network: &Network,
    attachment: &Attachment,
    interface: &Interface,
    (config, mechanism, trace): (&MirrorConfig, Mechanism, bool),
    plan: &Plan,
) -> Result<Option<PacketTrace>> {
    attachment.create()?;
    let device = copy_device::ensure(network, attachment, interface.index).await?;
    // Or what arrives would be copied twice.
    strays::remove(network, attachment).await?;
    let settings = config.settings(interface.index, device, trace);
    let mut ebpf = object::load(attachment, &settings)?;
    let ingress = Hook {
        program: "source_ingress",
        interface: &interface.name,
        side: TcAttachType::Ingress,
        pin: "ingress",
        order: Order::First,
        mechanism,
    };
    let (device, _) = copy_device::names(interface.index);
    attach::attach(&mut ebpf, attachment, &copy_device::hook(&device, ingress))?;
    mappings::change(attachment, &plan.entries, &plan.selection).await?;
    attach::attach(&mut ebpf, attachment, &ingress)?;
    meta::write(attachment, &settings)?;
    PacketTrace::take(&mut ebpf, &settings)
}
