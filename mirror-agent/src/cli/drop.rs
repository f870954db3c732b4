//! What can be typed after `drop`.

use clap::Args;

use super::{common::Common, value};
use crate::config::ports::PortRange;

/// Connections that a target mirrors at once, unless it is told otherwise.
pub const MAX_CONNECTIONS: u32 = 1 << 18;

/// What long help says at its end.
const EXAMPLES: &str = "\
Examples:
  mirror-agent drop eth0 --port 11211
  mirror-agent drop eth0 --port 11211-11220 --source-mac 02:00:5e:10:00:01

Repeating drop adds the ports and MAC addresses that it names, and changes the settings that it names. What is not
named stays. port remove takes ports away, detach takes all off.";

/// `drop`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Drop {
    /// Interface that copies arrive at
    pub interface: String,

    /// Port of a memcached that serves copies; ranges and lists, may be repeated
    #[arg(long = "port", value_name = "PORT", value_delimiter = ',')]
    pub ports: Vec<PortRange>,

    /// Take copies only from this MAC address; may be repeated
    ///
    /// It is the old host's, or that of the router before this host.
    #[arg(long, alias = "from", value_name = "MAC", value_parser = value::mac, value_delimiter = ',')]
    pub source_mac: Vec<u64>,

    /// Take copies from all MAC addresses again
    #[arg(long, conflicts_with = "source_mac", hide_short_help = true)]
    pub any_source_mac: bool,

    /// Keep flush_all from memcached: it keeps items that the old one dropped
    #[arg(
        long,
        alias = "no-flush",
        value_name = "YES|NO",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "yes",
        value_parser = clap::builder::BoolishValueParser::new(),
        hide_possible_values = true
    )]
    pub block_flush_all: Option<bool>,

    /// Let memcached have commands that change a server and not its items
    ///
    /// These are shutdown, verbosity, cache_memlimit, slabs, lru, lru_crawler, watch, stats reset and the like.
    #[arg(
        long,
        alias = "all-commands",
        value_name = "YES|NO",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "yes",
        value_parser = clap::builder::BoolishValueParser::new(),
        hide_possible_values = true
    )]
    pub allow_admin_commands: Option<bool>,

    /// Connections that can be mirrored at once [default: 262144]
    ///
    /// Each takes 256 bytes of kernel memory while it is used. The number cannot be changed while attached.
    #[arg(
        long,
        alias = "flows",
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=1 << 24),
        help_heading = "Advanced",
        hide_short_help = true
    )]
    pub max_connections: Option<u32>,

    /// Leave memcached's receive buffer as it is: large values wait on new connections
    #[arg(
        long,
        value_name = "YES|NO",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "yes",
        value_parser = clap::builder::BoolishValueParser::new(),
        hide_possible_values = true,
        help_heading = "Advanced",
        hide_short_help = true
    )]
    pub no_receive_buffer: Option<bool>,

    /// Options that `attach` and `drop` share
    #[command(flatten)]
    pub common: Common,
}
