//! Attaching programs to interfaces.
//!
//! | module | what it is responsible for |
//! |---|---|
//! | [`hook`] | one program at one hook, and by which mechanism |
//! | [`tcx`] | by pinned links: Linux 6.6 and later |
//! | [`clsact`] | by filters, before that |
//! | [`before`] | what must not come before ours |
//! | [`xdp`] | XDP programs, one for each interface |

use anyhow::{Context as _, Result, anyhow, bail};
use aya::{Ebpf, programs::SchedClassifier};

pub mod before;
pub mod clsact;
pub mod hook;
pub mod tcx;
pub mod xdp;

use self::hook::{Hook, Mechanism};
use crate::kernel::pins::Attachment;

/// Attaches the program, or replaces the one that is attached by this hook's pin. Returns whether it
/// replaced one.
///
/// # Errors
///
/// Where the kernel refuses it.
pub fn attach(ebpf: &mut Ebpf, attachment: &Attachment, hook: &Hook<'_>) -> Result<bool> {
    let program: &mut SchedClassifier = ebpf
        .program_mut(hook.program)
        .ok_or_else(|| anyhow!("the object lacks the program {}", hook.program))?
        .try_into()
        .context("not a tc program")?;
    match hook.mechanism {
        Mechanism::Tcx => tcx::attach(program, attachment, hook),
        Mechanism::Clsact => clsact::attach(program, attachment, hook),
    }
}

/// By which mechanism programs are attached already; `None` where there are none.
///
/// # Errors
///
/// Where pins cannot be listed.
pub fn mechanism_of(attachment: &Attachment) -> Result<Option<Mechanism>> {
    let names = attachment.names()?;
    let is_there = |mechanism: &Mechanism| {
        let prefix = match mechanism {
            Mechanism::Tcx => tcx::PIN,
            Mechanism::Clsact => clsact::PIN,
        };
        names.iter().any(|pin| pin.starts_with(prefix))
    };
    Ok([Mechanism::Tcx, Mechanism::Clsact].into_iter().find(is_there))
}

/// By which mechanism to attach: `wanted`, or what is attached already, or the best that the kernel has.
///
/// # Errors
///
/// Where programs are attached by another mechanism than is wanted.
pub fn choose(attachment: &Attachment, wanted: Option<Mechanism>) -> Result<Mechanism> {
    match (mechanism_of(attachment)?, wanted) {
        (Some(known), Some(wanted)) if known != wanted => bail!(
            "the {} at {} is attached by {name}; detach it first, or say --hook {name}",
            attachment.role,
            attachment.interface,
            name = known.name(),
        ),
        (Some(mechanism), _) | (None, Some(mechanism)) => Ok(mechanism),
        (None, None) => Ok(Mechanism::of_kernel()),
    }
}
