//! `drop`: makes this host a target.

use anyhow::{Context as _, Result};
use aya::programs::TcAttachType;
use mirror_common::{abi::served, memcached::admin_command};

use super::foreground;
use crate::{
    cli,
    kernel::{
        hooks::{self, Hook},
        object::{self, Settings},
        packet_trace::PacketTrace,
        pins::{Attachment, Role, Store},
    },
    lifecycle::remove,
    net::netlink::{Interface, Network},
    target::{allowed_macs, hold_device, ports, receive_buffer},
};

/// Runs the verb.
pub(super) async fn run(store: &Store, arguments: &cli::Drop) -> Result<()> {
    let network = Network::connect()?;
    let interface = network.interface(&arguments.interface).await?;

    let lock = store.lock()?;
    let attachment = store.attachment(&interface.name, Role::Target);
    let fresh = remove::clear_if_stale(&network, &attachment, &interface).await?;
    let result = install(&network, &attachment, &interface, arguments).await;
    if result.is_err() && fresh {
        remove::remove(&network, &attachment).await?;
        hold_device::remove(&network, interface.index).await?;
    }
    let lines = result?;
    drop(lock);

    let ports: Vec<String> = arguments.ports.iter().map(ToString::to_string).collect();
    println!(
        "{}: {} copies for port {}, replies to them are dropped",
        interface.name,
        if fresh { "serves" } else { "was attached already; it serves" },
        ports.join(", ")
    );
    interface.warn_if_down();
    if arguments.common.foreground {
        foreground::run(store, &network, &[attachment], lines).await?;
    }
    Ok(())
}

/// The commands that memcached is not to be given.
fn blocked(arguments: &cli::Drop) -> u32 {
    let administration = if arguments.all_commands { 0 } else { admin_command::ADMINISTRATION };
    administration | if arguments.no_flush { admin_command::FLUSH } else { 0 }
}

async fn install(
    network: &Network,
    attachment: &Attachment,
    interface: &Interface,
    arguments: &cli::Drop,
) -> Result<Option<PacketTrace>> {
    let kind = arguments.common.hook.resolve()?;
    attachment.create()?;
    hooks::check_kind(attachment, kind)?;
    let settings = Settings {
        magic: arguments.common.magic,
        ifindex: interface.index,
        hold_ifindex: hold_device::ensure(network, interface.index).await?,
        flows: arguments.flows,
        redundancy: 1,
        macs_limited: !arguments.from.is_empty(),
        blocked: blocked(arguments),
        receive_buffer: if arguments.no_receive_buffer { 0 } else { receive_buffer::WANTED },
        debug_packets: arguments.common.debug_packets,
    };
    let mut ebpf = object::load(attachment, &settings)?;
    allowed_macs::set(attachment, &arguments.from)?;
    let retired: Vec<u16> = ports::served(attachment)?
        .into_iter()
        .filter(|port| !arguments.ports.contains(port))
        .collect();
    ports::ports(attachment, &retired).await?;
    receive_buffer::set(attachment, &arguments.ports, settings.receive_buffer);

    let (_, far_end) = hold_device::names(interface.index);
    // Replies first, then the way back from the hold device: nothing is served that could leak.
    let egress = Hook {
        program: "target_egress",
        interface: &interface.name,
        side: TcAttachType::Egress,
        pin: "egress",
        first: true,
        kind,
    };
    hooks::attach(&mut ebpf, attachment, &egress)?;
    let hold = Hook {
        program: "target_hold",
        interface: &far_end,
        side: TcAttachType::Ingress,
        pin: "hold",
        first: true,
        kind,
    };
    hooks::attach(&mut ebpf, attachment, &hold)?;
    // Last of all, so that a source on the same interface sees copies sealed, and lets them be.
    let ingress = Hook {
        program: "target_ingress",
        side: TcAttachType::Ingress,
        pin: "ingress",
        first: false,
        ..egress
    };
    hooks::attach(&mut ebpf, attachment, &ingress)?;
    let mut table = object::array::<u32>(attachment, "PORTS")?;
    for port in &arguments.ports {
        table.set(u32::from(*port), served::YES, 0).context("cannot write PORTS")?;
    }
    object::write_meta(attachment, &settings)?;
    PacketTrace::take(&mut ebpf, &settings)
}
