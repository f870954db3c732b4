//! What can be typed after `attach`.

use clap::Args;
use mirror_common::abi::MAX_REDUNDANCY;

use super::{common::Common, selection::SelectionArgs};
use crate::config::mapping::MapSpecs;

/// What long help says at its end.
const EXAMPLES: &str = "\
Examples:
  mirror-agent attach eth0 --map 11211=10.0.0.5:11211
  mirror-agent attach eth0 --map 11211-11220=10.0.0.5 --sample 10% --for 24h
  mirror-agent attach eth0 --map 11211=10.0.0.5 --map 11211=10.0.0.6 --dry-run

Repeating attach adds the maps and prefixes that it names, and changes the settings that it names. What is not named
stays. map set and map remove take maps away, detach takes all off.";

/// `attach`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Attach {
    /// Interface that clients' packets arrive at
    pub interface: String,

    /// Copy a local port to a target, as PORT=ADDR:PORT; may be repeated
    ///
    /// It may begin with a local address, like 192.0.2.7:11211=10.0.0.5:11211. PORT may be a range like 11211-11220, and
    /// before = a list. Without a port, the target's is the same. IPv6
    /// addresses with a port go in brackets. A port that has several maps is copied to several targets.
    #[arg(long = "map", value_name = "MAP", help_heading = "What to copy")]
    pub maps: Vec<MapSpecs>,

    /// Which of that is copied, how much, and until when
    #[command(flatten)]
    pub selection: SelectionArgs,

    /// Copy what other hosts and containers take, too: on a router, at a SPAN port
    ///
    /// Without it, packets are copied that a socket of this host takes: requests on connections that it has, SYNs to ports
    /// that are open, datagrams that memcached receives. A memcached in a container behind this interface has its sockets in
    /// another network namespace, so that this host cannot tell what it takes.
    #[arg(
        long,
        value_name = "YES|NO",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "yes",
        value_parser = clap::builder::BoolishValueParser::new(),
        hide_possible_values = true,
        help_heading = "What to copy"
    )]
    pub forwarded: Option<bool>,

    /// Send every TCP copy N times, against loss between the hosts
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_REDUNDANCY)),
        help_heading = "Advanced"
    )]
    pub redundancy: Option<u32>,

    /// Options that `attach` and `drop` share
    #[command(flatten)]
    pub common: Common,
}
