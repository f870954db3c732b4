//! One program at one hook, and by which mechanism.

use aya::programs::TcAttachType;

use crate::kernel::{fallback::Fallback, requirements, role::Role};

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
    /// When to run, of all programs of the side.
    pub order: Order,
    /// By what.
    pub mechanism: Mechanism,
}

/// Names of the programs that `role` has at interfaces.
pub const fn programs(role: Role) -> &'static [&'static str] {
    match role {
        Role::Source => &["source_ingress"],
        Role::Target => &["target_ingress", "target_egress", "target_tunnel"],
        Role::Guard => &[],
    }
}

/// When a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Before all that are there.
    First,
    /// The same, but for a source's at the same interface.
    BehindSource,
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
