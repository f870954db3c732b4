//! `attach`: makes this host a source.

use anyhow::{Result, bail};
use aya::programs::TcAttachType;

use super::{edit, foreground};
use crate::{
    cli,
    kernel::{
        attach::{
            self,
            hook::{Hook, Mechanism},
        },
        clock::Now,
        meta, object,
        packet_trace::PacketTrace,
        pins::{Attachment, Role, Store},
    },
    lifecycle::{install::install, listening::warn_if_nothing_listens},
    net::{
        netlink::{Interface, Network},
        offload,
    },
    output::{self, SelectionState},
    source::{config::MirrorConfig, copy_device, mappings, plan::Plan},
};

/// Runs the verb.
pub(super) async fn run(store: &Store, arguments: &cli::Attach) -> Result<()> {
    let network = Network::connect()?;
    let interface = network.interface(&arguments.interface).await?;

    let make = async |attachment: &Attachment, fresh: bool| {
        let before = if fresh { None } else { Some(MirrorConfig::read(attachment)?) };
        let mut after =
            before.clone().unwrap_or_else(|| MirrorConfig::fresh(arguments.common.magic(None)));
        after.magic = arguments.common.magic(Some(after.magic.0));
        edit::attach(&mut after, arguments)?;
        if after.maps.is_empty() {
            bail!(
                "what is to be copied, and where to? give --map, like --map 11211=10.0.0.5:11211"
            );
        }
        after.selection.multiply().check(&after.maps, after.redundancy)?;
        // The ways are found, and refused, before anything is touched.
        let plan = Plan::new(&network, &after).await?;
        let mechanism = attach::choose(attachment, arguments.common.hook.wanted())?;
        let trace = arguments.common.trace_packets;
        let trace = load(&network, attachment, &interface, (&after, mechanism, trace), &plan).await?;
        let report = report(&interface.name, &plan, before.as_ref(), &after)?;
        // Elsewhere, others listen.
        let here = after.maps.iter().filter(|_| !after.forwarded);
        let ports: Vec<u16> = here.map(|map| map.local_port).collect();
        Ok((attachment.clone(), trace, (report, ports)))
    };
    let (attachment, trace, (report, ports)) =
        install(store, &network, (Role::Source, &interface), make).await?;

    output::report(&report)?;
    interface.warn_if_down();
    warn_if_nothing_listens(Role::Source, ports);
    for warning in offload::warnings(&interface.name).await {
        log::warn!("{}: {warning}", interface.name);
    }
    if arguments.common.foreground {
        foreground::run(store, &network, &[attachment], trace).await?;
    }
    Ok(())
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
    let settings = config.settings(interface.index, device, trace);
    let mut ebpf = object::load(attachment, &settings)?;
    let ingress = Hook {
        program: "source_ingress",
        interface: &interface.name,
        side: TcAttachType::Ingress,
        pin: "ingress",
        first: true,
        mechanism,
    };
    let (device, _) = copy_device::names(interface.index);
    attach::attach(&mut ebpf, attachment, &copy_device::hook(&device, ingress))?;
    mappings::change(attachment, &plan.entries, &plan.selection).await?;
    attach::attach(&mut ebpf, attachment, &ingress)?;
    meta::write(attachment, &settings)?;
    PacketTrace::take(&mut ebpf, &settings)
}
