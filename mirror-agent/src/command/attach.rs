//! `attach`: makes this host a source.

use anyhow::Result;
use aya::programs::TcAttachType;
use mirror_common::packet::seal::Magic;

use super::foreground;
use crate::{
    cli,
    config::{
        clients::Clients, mapping, multiply::Multiply, rate::Limits, selection::Selection, time,
    },
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
    lifecycle::install::install,
    net::{netlink::Network, offload},
    output::{self, SelectionState},
    source::{
        mappings,
        plan::{MirrorConfig, Plan},
    },
};

/// Runs the verb.
pub(super) async fn run(store: &Store, arguments: &cli::Attach) -> Result<()> {
    mapping::check(&arguments.maps)?;
    let clients =
        Clients::new(&arguments.selection.clients, &arguments.selection.excluded_clients)?;
    let network = Network::connect()?;
    let interface = network.interface(&arguments.interface).await?;
    let mechanism = arguments.common.hook.resolve()?;
    let settings = Settings::Source(settings::Source {
        ifindex: interface.index,
        magic: Magic(arguments.common.magic),
        redundancy: arguments.redundancy,
        trace: arguments.common.debug_packets,
    });
    // The ways are found, and refused, before anything is touched.
    let mut plan = Plan::new(&network, &interface, &arguments.maps, Selection::default()).await?;

    let make = async |attachment: &Attachment, fresh: bool| {
        let before = if fresh { None } else { Some(MirrorConfig::read(attachment)?) };
        let known = before.as_ref().map(|before| &before.selection);
        plan.selection = choose(&arguments.selection, clients, known)?;
        plan.selection.multiply().check(&arguments.maps, arguments.redundancy)?;
        let trace = load(&network, attachment, (&settings, mechanism), &plan).await?;
        let done = match before {
            None => "attached",
            Some(before) => {
                let same =
                    before.maps.iter().all(|map| plan.entries.iter().any(|(new, _)| new == map))
                        && before.maps.len() == plan.entries.len();
                plan.send_teardown(&interface.name, Magic(arguments.common.magic), before);
                if same { "was attached already, with" } else { "was attached; its maps are now" }
            }
        };
        Ok((attachment.clone(), trace, done))
    };
    let (attachment, trace, done) =
        install(store, &network, (Role::Source, &interface), make).await?;

    output::line(&format!("{}: {done}", interface.name))?;
    let selection = SelectionState::of(&plan.selection, Now::read()?);
    output::print(&output::source_lines(plan.maps(), &selection))?;
    interface.warn_if_down();
    for warning in offload::warnings(&interface.name).await {
        log::warn!("{}: {warning}", interface.name);
    }
    if arguments.common.foreground {
        foreground::run(store, &network, &[attachment], trace).await?;
    }
    Ok(())
}

/// What was typed about which packets to copy; whoever was in the sample `before` stays there.
fn choose(
    arguments: &cli::SelectionArgs,
    clients: Clients,
    before: Option<&Selection>,
) -> Result<Selection> {
    let ends_in = time::ends_in(arguments.until, arguments.length)?;
    let mut selection =
        Selection::new(clients, arguments.sample, ends_in, arguments.dry_run, before)?;
    selection.set_limits(Limits::new(&arguments.rate_limit)?);
    selection.set_multiply(&Multiply::new(arguments.copies, &arguments.copies_from)?);
    Ok(selection)
}

/// Loads, attaches, and fills the tables, ingress last.
async fn load(
    network: &Network,
    attachment: &Attachment,
    (settings, mechanism): (&Settings, Mechanism),
    plan: &Plan,
) -> Result<Option<PacketTrace>> {
    attachment.create()?;
    attach::check_mechanism(attachment, mechanism)?;
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
