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
        settings::{self, Settings},
    },
    lifecycle::{install::install, listening::warn_if_nothing_listens},
    net::{netlink::Network, offload},
    output::{self, SelectionState},
    source::{config::MirrorConfig, mappings, plan::Plan},
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
        let plan = Plan::new(&network, &interface, &after).await?;
        let mechanism = attach::choose(attachment, arguments.common.hook.wanted())?;
        let settings = Settings::Source(settings::Source {
            ifindex: interface.index,
            magic: after.magic,
            redundancy: after.redundancy,
            trace: arguments.common.trace_packets,
        });
        let trace = load(&network, attachment, (&settings, mechanism), &plan).await?;
        let now = Now::read()?;
        let report = match &before {
            None => format!("{}: attached\n", interface.name),
            Some(before) => {
                let mut changes = before.describe(now).changes_to(&after.describe(now));
                changes.extend(plan.send_teardown(&interface.name, before));
                output::changed(&interface.name, &changes)
            }
        };
        let selection = SelectionState::of(&after.selection, now);
        let report = report + &output::source_lines(&after.maps, &selection);
        let ports: Vec<u16> = after.maps.iter().map(|map| map.local_port).collect();
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

/// Loads, attaches, and fills the tables, ingress last.
async fn load(
    network: &Network,
    attachment: &Attachment,
    (settings, mechanism): (&Settings, Mechanism),
    plan: &Plan,
) -> Result<Option<PacketTrace>> {
    attachment.create()?;
    let mut ebpf = object::load(attachment, settings)?;
    plan.attach_egress(&mut ebpf, attachment, mechanism)?;
    mappings::change(attachment, &plan.entries, &plan.selection).await?;
    let ingress = Hook {
        program: "source_ingress",
        interface: &attachment.interface,
        side: TcAttachType::Ingress,
        pin: "ingress",
        first: true,
        mechanism,
    };
    attach::attach(&mut ebpf, attachment, &ingress)?;
    plan.detach_other_egress(network, attachment).await?;
    meta::write(attachment, settings)?;
    PacketTrace::take(&mut ebpf, settings)
}
