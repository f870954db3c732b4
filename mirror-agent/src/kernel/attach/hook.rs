//! One program at one hook, and by which mechanism.

use aya::programs::TcAttachType;

use crate::kernel::{fallback::Fallback, requirements};

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
    pub mechanism: Mechanism,
}

/// By what programs are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// tcx links: Linux 6.6 or later.
    Tcx,
    /// Filters of the clsact queueing discipline.
    Clsact,
}

impl Mechanism {
    /// The best that this kernel has.
    pub fn of_kernel() -> Self {
        if requirements::has_tcx() {
            return Self::Tcx;
        }
        log::info!("{}", Fallback::Clsact);
        Self::Clsact
    }

    /// As `--hook` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcx => "tcx",
            Self::Clsact => "clsact",
        }
    }
}
