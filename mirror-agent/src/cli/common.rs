//! Options that `attach` and `drop` share.

use clap::{Args, ValueEnum};
use mirror_common::packet::seal::Magic;

use super::value;
use crate::kernel::attach::hook::Mechanism;

/// What `attach` and `drop` share.
#[derive(Debug, Args)]
pub struct Common {
    /// Stay, show counters, and detach on Ctrl-C or SIGTERM
    #[arg(long, help_heading = "Advanced")]
    pub foreground: bool,

    /// Number that marks copies, the same on both hosts [default: 0x6d19c7b]
    ///
    /// Decimal, or hexadecimal with 0x. Where the interface is attached already, the default is the number in use.
    #[arg(
        long,
        value_name = "NUMBER",
        value_parser = value::magic,
        help_heading = "Advanced",
        hide_short_help = true
    )]
    pub magic: Option<Magic>,

    /// By what programs are attached
    #[arg(
        long,
        value_name = "MECHANISM",
        default_value = "auto",
        help_heading = "Advanced",
        hide_short_help = true
    )]
    pub hook: HookKind,

    /// Print what becomes of each packet of the mirror; needs --foreground
    ///
    /// Up to 100 lines a second for each hook and processor.
    #[arg(
        long = "trace-packets",
        alias = "debug-packets",
        requires = "foreground",
        help_heading = "Advanced",
        hide_short_help = true
    )]
    pub trace_packets: bool,
}

impl Common {
    /// The number that marks copies, where `known` is in use.
    pub fn magic(&self, known: Option<u32>) -> Magic {
        self.magic.or_else(|| known.map(Magic)).unwrap_or(Magic::DEFAULT)
    }
}

/// What `--hook` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HookKind {
    /// tcx where the kernel has it, else clsact
    Auto,
    /// Links of Linux 6.6 and later, which nobody removes by accident
    Tcx,
    /// Filters, for older kernels; whoever clears the interface's tc filters ends the mirror
    Clsact,
}

impl HookKind {
    /// The one that has to be; `None` for the best that can be.
    pub const fn wanted(self) -> Option<Mechanism> {
        match self {
            Self::Auto => None,
            Self::Tcx => Some(Mechanism::Tcx),
            Self::Clsact => Some(Mechanism::Clsact),
        }
    }
}
