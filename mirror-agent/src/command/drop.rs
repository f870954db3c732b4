//! `drop`: makes this host a target.

use anyhow::{Context as _, Result};
use aya::programs::TcAttachType;
use mirror_common::{abi::served, memcached::admin_command, packet::seal::Magic};

use super::foreground;
use crate::{
    cli,
    kernel::{
        attach::{self, hook::Hook},
        maps, meta, object,
        packet_trace::PacketTrace,
        pins::{Attachment, Role, Store},
        settings::{self, Settings},
    },
    lifecycle::install::install,
    net::netlink::{Interface, Network},
    output,
    target::{allowed_macs, hold_device, ports, receive_buffer},
};

/// Runs the verb.
pub(super) async fn run(store: &Store, arguments: &cli::Drop) -> Result<()> {
    let network = Network::connect()?;
    let interface = network.interface(&arguments.interface).await?;

    let make = async |attachment: &Attachment, fresh: bool| {
        Ok((attachment.clone(), load(&network, attachment, &interface, arguments).await?, fresh))
    };
    let (attachment, trace, fresh) =
        install(store, &network, (Role::Target, &interface), make).await?;

    let ports: Vec<String> = arguments.ports.iter().map(ToString::to_string).collect();
    output::line(&format!(
        "{}: {} copies for port {}, replies to them are dropped",
        interface.name,
        if fresh { "serves" } else { "was attached already; it serves" },
        ports.join(", ")
    ))?;
    interface.warn_if_down();
    if arguments.common.foreground {
        foreground::run(store, &network, &[attachment], trace).await?;
    }
    Ok(())
}

/// The commands that memcached is not to be given.
fn blocked(arguments: &cli::Drop) -> u32 {
    let administration = if arguments.all_commands { 0 } else { admin_command::ADMINISTRATION };
    administration | if arguments.no_flush { admin_command::FLUSH } else { 0 }
}

async fn load(
    network: &Network,
    attachment: &Attachment,
    interface: &Interface,
    arguments: &cli::Drop,
) -> Result<Option<PacketTrace>> {
    let mechanism = arguments.common.hook.resolve()?;
    attachment.create()?;
    attach::check_mechanism(attachment, mechanism)?;
    let settings = Settings::Target(settings::Target {
        ifindex: interface.index,
        magic: Magic(arguments.common.magic),
        hold_ifindex: hold_device::ensure(network, interface.index).await?,
        max_connections: arguments.flows,
        macs_limited: !arguments.from.is_empty(),
        blocked: blocked(arguments),
        receive_buffer: if arguments.no_receive_buffer { 0 } else { receive_buffer::WANTED },
        trace: arguments.common.debug_packets,
    });
    let mut ebpf = object::load(attachment, &settings)?;
    allowed_macs::set(attachment, &arguments.from)?;
    let gone: Vec<u16> = ports::served(attachment)?
        .into_iter()
        .filter(|port| !arguments.ports.contains(port))
        .collect();
    ports::drain(attachment, &gone).await?;
    receive_buffer::set(
        attachment,
        &arguments.ports,
        if arguments.no_receive_buffer { 0 } else { receive_buffer::WANTED },
    );

    let (_, far_end) = hold_device::names(interface.index);
    // Replies first, then the way back from the hold device: nothing is served that could leak.
    let egress = Hook {
        program: "target_egress",
        interface: &interface.name,
        side: TcAttachType::Egress,
        pin: "egress",
        first: true,
        mechanism,
    };
    attach::attach(&mut ebpf, attachment, &egress)?;
    let hold = Hook {
        program: "target_hold",
        interface: &far_end,
        side: TcAttachType::Ingress,
        pin: "hold",
        first: true,
        mechanism,
    };
    attach::attach(&mut ebpf, attachment, &hold)?;
    // Last of all, so that a source on the same interface sees copies sealed, and lets them be.
    let ingress = Hook {
        program: "target_ingress",
        side: TcAttachType::Ingress,
        pin: "ingress",
        first: false,
        ..egress
    };
    attach::attach(&mut ebpf, attachment, &ingress)?;
    let mut table = maps::served_ports(attachment)?;
    for port in &arguments.ports {
        table.set(u32::from(*port), served::YES, 0).context("cannot write PORTS")?;
    }
    meta::write(attachment, &settings)?;
    PacketTrace::take(&mut ebpf, &settings)
}
