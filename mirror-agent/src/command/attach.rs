//! `attach`: makes this host a source.

use anyhow::Result;
use aya::programs::TcAttachType;
use mirror_common::packet::seal::Magic;

use super::foreground;
use crate::{
    cli,
    config::{clients::Clients, mapping, multiply::Copies, rate::Limits, selection::Chosen, time},
    kernel::{
        hooks::{self, Hook, Kind},
        object::{self, Settings},
        packet_trace::PacketTrace,
        pins::{Attachment, Role, Store},
    },
    lifecycle::remove,
    net::{netlink::Network, offload},
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
    let kind = arguments.common.hook.resolve()?;
    let cli::Common { magic, debug_packets, .. } = arguments.common;
    let settings = Settings {
        debug_packets,
        ..Settings::source(interface.index, magic, arguments.redundancy)
    };
    // The ways are found, and refused, before anything is touched.
    let mut plan = Plan::new(&network, &interface, &arguments.maps, Chosen::default()).await?;

    let lock = store.lock()?;
    let attachment = store.attachment(&interface.name, Role::Source);
    let fresh = remove::clear_if_stale(&network, &attachment, &interface).await?;
    let before = if fresh { None } else { Some(MirrorConfig::read(&attachment)?) };
    let known = before.as_ref().map(|before| &before.chosen);
    plan.chosen = choose(&arguments.selection, clients, known)?;
    plan.chosen.copies().check(&arguments.maps, arguments.redundancy)?;
    let result = install(&network, &attachment, (&settings, kind), &plan).await;
    if result.is_err() && fresh {
        remove::remove(&network, &attachment).await?;
    }
    let lines = result?;
    let done = match before {
        None => "attached",
        Some(before) => {
            let same = before.maps.iter().all(|map| plan.entries.iter().any(|(new, _)| new == map))
                && before.maps.len() == plan.entries.len();
            plan.send_teardown(&interface.name, Magic(settings.magic), before);
            if same { "was attached already, with" } else { "was attached; its maps are now" }
        }
    };
    drop(lock);

    println!("{}: {done}", interface.name);
    plan.print()?;
    interface.warn_if_down();
    for warning in offload::warnings(&interface.name).await {
        log::warn!("{}: {warning}", interface.name);
    }
    if arguments.common.foreground {
        foreground::run(store, &network, &[attachment], lines).await?;
    }
    Ok(())
}

/// What was typed about which packets to copy; whoever was in the sample `before` stays there.
fn choose(arguments: &cli::Selection, clients: Clients, before: Option<&Chosen>) -> Result<Chosen> {
    let ends_in = time::ends_in(arguments.until, arguments.length)?;
    let mut chosen = Chosen::new(clients, arguments.sample, ends_in, arguments.dry_run, before)?;
    chosen.set_limits(Limits::new(&arguments.rate_limit)?);
    chosen.set_copies(&Copies::new(arguments.copies, &arguments.copies_from)?);
    Ok(chosen)
}

/// Loads, attaches, and fills the maps, ingress last.
async fn install(
    network: &Network,
    attachment: &Attachment,
    (settings, kind): (&Settings, Kind),
    plan: &Plan,
) -> Result<Option<PacketTrace>> {
    attachment.create()?;
    hooks::check_kind(attachment, kind)?;
    let mut ebpf = object::load(attachment, settings)?;
    plan.attach_egress(&mut ebpf, attachment, kind)?;
    mappings::change(attachment, &plan.entries, &plan.chosen).await?;
    let ingress = Hook {
        program: "source_ingress",
        interface: &attachment.interface,
        side: TcAttachType::Ingress,
        pin: "ingress",
        first: true,
        kind,
    };
    hooks::attach(&mut ebpf, attachment, &ingress)?;
    plan.detach_other_egress(network, attachment).await?;
    object::write_meta(attachment, settings)?;
    PacketTrace::take(&mut ebpf, settings)
}
