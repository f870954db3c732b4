//! What can be typed after `guard`.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};

use super::value;
use crate::kernel::attach::xdp::Mode;

/// What long help says at its end.
const EXAMPLES: &str = "\
Example:
  mirror-agent guard eth0 --server 10.0.0.5:11211

Repeating guard adds the servers that it names. server remove takes servers away, detach takes all off: do that
before clients are to talk to the new memcached.";

/// `guard`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Guard {
    /// Interface that the new host's packets would arrive at
    pub interface: String,

    /// Drop what this new memcached sends, like 10.0.0.5:11211; may be repeated
    ///
    /// ICMP errors about what it was sent are dropped, too.
    #[arg(
        long = "server",
        alias = "from",
        value_name = "ADDR:PORT",
        value_parser = value::server,
        value_delimiter = ','
    )]
    pub servers: Vec<SocketAddr>,

    /// Where the program runs; auto tries native first
    ///
    /// Some drivers set up their queues anew for a native program, and lose packets for that moment.
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub mode: XdpMode,
}

/// What `--mode` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum XdpMode {
    /// native where the driver has XDP, else generic
    Auto,
    /// In the driver
    Native,
    /// In the network stack, slower
    Generic,
}

impl XdpMode {
    /// The one that has to be; `None` for the best that can be.
    pub const fn wanted(self) -> Option<Mode> {
        match self {
            Self::Auto => None,
            Self::Native => Some(Mode::Native),
            Self::Generic => Some(Mode::Generic),
        }
    }
}
