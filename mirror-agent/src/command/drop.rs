//! `drop`: makes this host a target.

use anyhow::{Context as _, Result, bail};
use aya::programs::TcAttachType;
use mirror_common::memcached::admin_command::{ADMINISTRATION, FLUSH};

use super::{edit::joined, foreground};
use crate::{
    cli,
    config::ports::PortRange,
    kernel::{
        attach::{
            self,
            hook::{Hook, Mechanism, Order},
        },
        maps, meta, object,
        packet_trace::PacketTrace,
        pins::{Attachment, Role, Store},
        settings::{self, Settings},
    },
    lifecycle::{attached, connection_limit, install::install, listening::warn_if_nothing_listens},
    net::{
        netlink::{Interface, Network},
        sock_diag::end,
    },
    output,
    target::{
        allowed_macs, config::TargetConfig, hold_device, one_mirror, ports, receive_buffer,
        ways_out,
    },
};

/// Runs the verb.
pub(super) async fn run(store: &Store, arguments: &cli::Drop) -> Result<()> {
    end::check()?;
    let network = Network::connect()?;
    let interface = attached::interface(store, &network, &arguments.interface).await?;

    let is_told = async || amend(None, None, arguments).map(std::mem::drop);
    let make = async |attachment: &Attachment, fresh: bool| {
        let before = if fresh { None } else { Some(TargetConfig::read(attachment)?) };
        let beside = if fresh { one_mirror::other(attachment)? } else { None };
        let after = amend(before.as_ref(), beside.as_ref(), arguments)?;
        let mechanism = attach::choose(attachment, arguments.common.hook.wanted())?;
        let trace = arguments.common.trace_packets;
        attachment.create()?;
        if let Some(beside) = &beside {
            maps::share(beside, attachment)?;
        }
        let (trace, ended) =
            load(&network, attachment, &interface, (&after, mechanism, trace), fresh).await?;
        let report = match before {
            None => format!(
                "{}: serves copies for port {}, and drops every reply to them\n{}",
                interface.name,
                PortRange::join(&after.ports),
                said_of_leftovers(ended)
            ),
            Some(before) => {
                let changes = before.describe().changes_to(&after.describe());
                output::changed(&interface.name, &changes)
                    + &format!("  port {}\n", PortRange::join(&after.ports))
            }
        };
        Ok((attachment.clone(), trace, (report, after.ports, after.max_connections)))
    };
    let ((attachment, trace, (report, ports, limit)), replaced) =
        install(store, &network, (Role::Target, &interface), is_told, make).await?;

    let limits = connection_limit::report(&ports, limit);
    output::report(&(output::replaced(&interface.name, replaced.as_deref()) + &report + &limits))?;
    interface.warn_if_down();
    if let Some(warning) = ways_out::reverse_path(&network, &interface).await? {
        log::warn!("{warning}");
    }
    warn_if_nothing_listens(Role::Target, ports);
    if arguments.common.foreground {
        foreground::run(store, &network, &[attachment], trace).await?;
    }
    Ok(())
}

/// What is typed makes of what the target was told: ports and MAC addresses are added, settings that are given change. The
/// table of connections is that of the target `beside` it.
fn amend(
    before: Option<&TargetConfig>,
    beside: Option<&Attachment>,
    typed: &cli::Drop,
) -> Result<TargetConfig> {
    let given = match beside {
        None => typed.max_connections,
        Some(beside) => Some(shared_limit(beside, typed.max_connections)?),
    };
    let mut config = before.cloned().unwrap_or(TargetConfig {
        magic: typed.common.magic(None),
        ports: Vec::new(),
        macs: Vec::new(),
        blocked: ADMINISTRATION,
        receive_buffer: receive_buffer::WANTED,
        max_connections: given.unwrap_or(cli::MAX_CONNECTIONS),
    });
    if let Some(wanted) = typed.max_connections
        && wanted != config.max_connections
    {
        bail!(
            "--max-connections is {} while this is attached; detach, and attach again with {wanted}",
            config.max_connections
        );
    }
    config.magic = typed.common.magic(Some(config.magic.0));
    config.ports = joined(&config.ports, &PortRange::all(&typed.ports));
    if config.ports.is_empty() {
        bail!("copies for which memcached? give --port, like --port 11211");
    }
    if typed.any_source_mac {
        config.macs.clear();
    }
    config.macs = joined(&config.macs, &typed.source_mac);
    let put = |blocked: u32, bit: u32, on: bool| if on { blocked | bit } else { blocked & !bit };
    if let Some(block) = typed.block_flush_all {
        config.blocked = put(config.blocked, FLUSH, block);
    }
    if let Some(allow) = typed.allow_admin_commands {
        config.blocked = put(config.blocked, ADMINISTRATION, !allow);
    }
    if let Some(leave) = typed.no_receive_buffer {
        config.receive_buffer = if leave { 0 } else { receive_buffer::WANTED };
    }
    Ok(config)
}

/// How many connections the targets of this host can mirror together, which the first of them was told.
fn shared_limit(beside: &Attachment, wanted: Option<u32>) -> Result<u32> {
    let limit = TargetConfig::read(beside)?.max_connections;
    if let Some(wanted) = wanted
        && wanted != limit
    {
        bail!(
            "--max-connections is {limit} for all targets of this host, as {} was told; leave it out, or detach that one and \
             say {wanted} there",
            beside.interface
        );
    }
    Ok(limit)
}

async fn load(
    network: &Network,
    attachment: &Attachment,
    interface: &Interface,
    (config, mechanism, trace): (&TargetConfig, Mechanism, bool),
    fresh: bool,
) -> Result<(Option<PacketTrace>, usize)> {
    let settings = Settings::Target(settings::Target {
        ifindex: interface.index,
        magic: config.magic,
        hold_ifindex: hold_device::ensure(network, interface.index).await?,
        max_connections: config.max_connections,
        macs_limited: !config.macs.is_empty(),
        blocked: config.blocked,
        receive_buffer: config.receive_buffer,
        trace,
    });
    let mut ebpf = object::load(attachment, &settings)?;
    allowed_macs::set(attachment, &config.macs)?;
    receive_buffer::set(attachment, &config.ports, config.receive_buffer);

    let (_, far_end) = hold_device::names(interface.index);
    // Replies first, then the way back from the hold device: nothing is served that could leak.
    let egress = Hook {
        program: "target_egress",
        interface: &interface.name,
        side: TcAttachType::Egress,
        pin: "egress",
        order: Order::First,
        mechanism,
    };
    ways_out::cover(&mut ebpf, attachment, network, (interface, &egress)).await?;
    let hold = Hook {
        program: "target_hold",
        interface: &far_end,
        side: TcAttachType::Ingress,
        pin: "hold",
        order: Order::First,
        mechanism,
    };
    attach::attach(&mut ebpf, attachment, &hold)?;
    // A source on the same interface has to see copies sealed, and lets them be. Everybody else would take sealed ones for
    // broken, and let them have what they do with such.
    let ingress = Hook {
        program: "target_ingress",
        side: TcAttachType::Ingress,
        pin: "ingress",
        order: Order::BehindSource,
        ..egress
    };
    attach::attach(&mut ebpf, attachment, &ingress)?;
    ports::forget_leak(attachment)?;
    // While another target was attached here, all that it mirrors goes on.
    let ended = if fresh { ports::clear(attachment, &config.ports).await? } else { 0 };
    ports::serve(attachment, &config.ports).context("cannot serve the ports")?;
    meta::write(attachment, &settings)?;
    Ok((PacketTrace::take(&mut ebpf, &settings)?, ended))
}

/// What is reported of connections that an earlier attachment left.
fn said_of_leftovers(ended: usize) -> String {
    match ended {
        0 => String::new(),
        1 => "  ended 1 connection that an earlier mirror left\n".to_owned(),
        count => format!("  ended {count} connections that an earlier mirror left\n"),
    }
}
