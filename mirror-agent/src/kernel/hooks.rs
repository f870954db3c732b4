//! Programs on interfaces: attached through pinned tcx links, which outlive the agent and can be
//! given a new program without a gap; or, where the kernel has none, as filters (`clsact.rs`).

use anyhow::{Context as _, Result, anyhow, bail};
use aya::{
    Ebpf,
    programs::{
        LinkOrder, SchedClassifier, TcAttachType,
        links::{FdLink, PinnedLink},
        tc::{SchedClassifierLink, TcAttachOptions},
    },
};

use crate::kernel::{
    clsact,
    fallback::Fallback,
    object,
    pins::{self, Attachment},
    requirements,
};

/// One program at one hook.
#[derive(Clone, Copy, Debug)]
pub struct Hook<'a> {
    /// Name of the program in the object.
    pub program: &'a str,
    /// The interface.
    pub interface: &'a str,
    /// Side of the interface.
    pub side: TcAttachType,
    /// Name of the pin.
    pub pin: &'a str,
    /// Whether to run before the programs that are there, or after.
    pub first: bool,
    /// By what.
    pub kind: Kind,
}

/// By what programs are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// tcx links: Linux 6.6 or later.
    Tcx,
    /// Filters of the clsact queueing discipline.
    Clsact,
}

impl Kind {
    /// What this kernel has.
    pub fn of_kernel() -> Result<Self> {
        if requirements::has_tcx()? {
            return Ok(Self::Tcx);
        }
        log::info!("{}", Fallback::Clsact);
        Ok(Self::Clsact)
    }

    /// By what programs are attached already; `None` where there are none.
    pub fn of(attachment: &Attachment) -> Result<Option<Self>> {
        let names = attachment.names()?;
        let is_there = |kind: &Self| names.iter().any(|pin| pin.starts_with(kind.pin()));
        Ok([Self::Tcx, Self::Clsact].into_iter().find(is_there))
    }

    /// How the names of pins begin.
    const fn pin(self) -> &'static str {
        match self {
            Self::Tcx => pins::LINK,
            Self::Clsact => clsact::PIN,
        }
    }

    /// As `--hook` takes it.
    const fn name(self) -> &'static str {
        match self {
            Self::Tcx => "tcx",
            Self::Clsact => "clsact",
        }
    }
}

/// Attaches the program, or replaces the one that is attached by this hook's pin. Returns whether it
/// replaced one.
pub fn attach(ebpf: &mut Ebpf, attachment: &Attachment, hook: &Hook<'_>) -> Result<bool> {
    let program: &mut SchedClassifier = ebpf
        .program_mut(hook.program)
        .ok_or_else(|| anyhow!("the object lacks the program {}", hook.program))?
        .try_into()
        .context("not a tc program")?;
    if hook.kind == Kind::Clsact {
        return clsact::attach(program, attachment, hook);
    }
    let path = attachment.link(hook.pin);
    let failed = || format!("cannot attach {} to {}", hook.program, hook.interface);

    if !object::is_missing(&path) {
        let link = PinnedLink::from_pin(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        let link = SchedClassifierLink::try_from(FdLink::from(link)).with_context(failed)?;
        program.attach_to_link(link).with_context(failed)?;
        return Ok(true);
    }
    let order = if hook.first { LinkOrder::first() } else { LinkOrder::last() };
    let id = program
        .attach_with_options(hook.interface, hook.side, TcAttachOptions::TcxOrder(order))
        .with_context(failed)?;
    let link: FdLink =
        program.take_link(id).with_context(failed)?.try_into().with_context(failed)?;
    link.pin(&path).with_context(|| format!("cannot pin {}", path.display()))?;
    Ok(false)
}

/// Refuses to attach by another kind than what is attached already.
pub fn check_kind(attachment: &Attachment, kind: Kind) -> Result<()> {
    if let Some(other) = Kind::of(attachment)?
        && other != kind
    {
        bail!(
            "the {} at {} is attached by {name}; detach it first, or say --hook {name}",
            attachment.role,
            attachment.interface,
            name = other.name(),
        );
    }
    Ok(())
}
