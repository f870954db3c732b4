//! XDP programs on interfaces: attached through a pinned link, in the driver where it has XDP, else in the
//! stack. An interface has room for one, and somebody else's is never replaced.

use std::fmt;

use anyhow::{Context as _, Result, anyhow, bail};
use aya::{
    Ebpf,
    programs::{
        Xdp, XdpMode,
        links::{FdLink, PinnedLink},
        loaded_programs,
        xdp::XdpLink,
    },
};
use rtnetlink::packet_route::link::{LinkAttribute, LinkMessage, LinkXdp, XdpAttached};

use crate::{
    kernel::{
        fallback::Fallback,
        pins::{self, Attachment},
    },
    net::netlink::{Interface, Network},
};

/// Name of the link's pin, as [`Attachment::link`] takes it.
const PIN: &str = "xdp";
/// What a guard's program is called.
const GUARD: &str = "guard_ingress";
/// What libxdp's dispatcher is called, which runs several programs in turn.
const DISPATCHER: &str = "xdp_dispatcher";

/// Where an XDP program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In the driver, before there is a socket buffer.
    Native,
    /// In the stack, after the driver made one: slower, and possible everywhere.
    Generic,
}

impl Mode {
    const fn to_kernel(self) -> XdpMode {
        match self {
            Self::Native => XdpMode::Driver,
            Self::Generic => XdpMode::Skb,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Generic => "generic",
        })
    }
}

/// An XDP program that is attached to an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Where it runs; `None` in hardware, or where the kernel says nothing that is known here.
    pub mode: Option<Mode>,
    /// The kernel's number for the program.
    pub program: u32,
}

/// What is attached to a link.
pub fn attached(link: &LinkMessage) -> Option<Attached> {
    let about = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Xdp(about) => Some(about),
        _ => None,
    })?;
    let mode = about.iter().find_map(|one| match one {
        LinkXdp::Attached(XdpAttached::Driver) => Some(Mode::Native),
        LinkXdp::Attached(XdpAttached::SocketBuffer) => Some(Mode::Generic),
        _ => None,
    });
    let program = about.iter().find_map(|one| match one {
        LinkXdp::ProgId(id)
        | LinkXdp::DrvProgId(id)
        | LinkXdp::SkbProgId(id)
        | LinkXdp::HwProgId(id) => Some(*id),
        _ => None,
    });
    program.filter(|id| *id != 0).map(|program| Attached { mode, program })
}

/// What somebody else's program at a link is called; `None` where there is none, or it is a guard's.
pub fn foreign(link: &LinkMessage) -> Option<String> {
    let id = attached(link)?.program;
    match name_of(id) {
        Some(name) if name == GUARD => None,
        Some(name) => Some(format!("{name} (program {id})")),
        None => Some(id.to_string()),
    }
}

/// Attaches the program, or gives it to the link that is pinned. Where `wanted` is `None`, the driver is tried
/// first. Returns where it runs.
///
/// # Errors
///
/// Where another program is attached, or ours by another mode than `wanted`.
pub async fn attach(
    network: &Network,
    ebpf: &mut Ebpf,
    attachment: &Attachment,
    (name, interface): (&str, &Interface),
    wanted: Option<Mode>,
) -> Result<Mode> {
    let program: &mut Xdp = ebpf
        .program_mut(name)
        .ok_or_else(|| anyhow!("the object lacks the program {name}"))?
        .try_into()
        .context("not an XDP program")?;
    let failed = || format!("cannot attach {name} to {}", interface.name);
    let link = network.link(&interface.name).await?.with_context(failed)?;
    let there = attached(&link);
    let path = attachment.link(PIN);
    if !pins::is_missing(&path) {
        let mode = there.and_then(|there| there.mode).unwrap_or(Mode::Generic);
        if wanted.is_some_and(|wanted| wanted != mode) {
            bail!(
                "the {} at {} is attached in {mode} mode; detach it first, or say --mode {mode}",
                attachment.role,
                interface.name
            );
        }
        let link = PinnedLink::from_pin(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        let link = XdpLink::try_from(FdLink::from(link)).with_context(failed)?;
        program.attach_to_link(link).with_context(failed)?;
        return Ok(mode);
    }
    if let Some(there) = there {
        bail!(occupied(&interface.name, there.program));
    }
    let mode = match wanted {
        Some(mode) => {
            pin(program, attachment, interface, mode)
                .with_context(|| format!("{} in {mode} mode", failed()))?;
            mode
        }
        None => match pin(program, attachment, interface, Mode::Native) {
            Ok(()) => Mode::Native,
            Err(error) => {
                log::info!("{}: {} ({error:#})", interface.name, Fallback::GenericXdp);
                pin(program, attachment, interface, Mode::Generic).with_context(failed)?;
                Mode::Generic
            }
        },
    };
    Ok(mode)
}

fn pin(
    program: &mut Xdp,
    attachment: &Attachment,
    interface: &Interface,
    mode: Mode,
) -> Result<()> {
    let id = program.attach_to_if_index(interface.index, mode.to_kernel())?;
    let link: FdLink = program.take_link(id)?.try_into().context("the kernel gives no link")?;
    let path = attachment.link(PIN);
    link.pin(&path).with_context(|| format!("cannot pin {}", path.display()))?;
    Ok(())
}

/// What to say where program `id` has the interface's only place.
fn occupied(interface: &str, id: u32) -> String {
    let name = name_of(id);
    let whose = match name.as_deref() {
        Some(DISPATCHER) => format!(
            "libxdp's dispatcher ({DISPATCHER}, program {id}), which runs the programs of others; \
             `xdp-loader status {interface}` lists them, and `xdp-loader unload {interface} --all` takes \
             them off"
        ),
        Some(name) => format!(
            "the XDP program {name} (program {id}) of somebody else; whoever attached it has to take \
             it off"
        ),
        None => {
            format!("the XDP program {id} of somebody else; whoever attached it has to take it off")
        }
    };
    format!(
        "{interface} has {whose}. There is room for one, and mirror-agent replaces none but its own"
    )
}

/// The name of the program with this number, as far as the kernel keeps it (15 bytes).
fn name_of(id: u32) -> Option<String> {
    let program = loaded_programs().filter_map(Result::ok).find(|program| program.id() == id)?;
    program.name_as_str().filter(|name| !name.is_empty()).map(ToOwned::to_owned)
}
