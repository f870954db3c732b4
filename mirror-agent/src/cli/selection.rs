//! Options that limit what is mirrored of that which maps match: those of `attach` and `map set`.

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use mirror_common::abi::MAX_COPIES;

use crate::config::{clients::Cidr, rate::Rate, sample::Sample, time};

/// What is mirrored, how much, and until when. What is not given stays as it is, or is all there is.
#[derive(Debug, Args)]
pub struct SelectionArgs {
    /// Mirror only these clients, like 10.0.0.0/8 or fd00::/8; may be repeated
    ///
    /// Of all prefixes of --client and --exclude-client that cover a client, the longest decides. Without --client, all
    /// clients are mirrored but those that are excluded.
    #[arg(
        long = "client",
        value_name = "CIDR",
        value_delimiter = ',',
        help_heading = "What to copy"
    )]
    pub clients: Vec<Cidr>,

    /// Do not mirror these clients; may be repeated
    #[arg(
        long = "exclude-client",
        value_name = "CIDR",
        value_delimiter = ',',
        help_heading = "What to copy"
    )]
    pub excluded_clients: Vec<Cidr>,

    /// Forget all prefixes of clients: mirror all clients
    #[arg(
        long,
        alias = "all-clients",
        conflicts_with_all = ["clients", "excluded_clients"],
        help_heading = "What to copy",
        hide_short_help = true
    )]
    pub clear_clients: bool,

    /// Mirror a share of all connections, like 10% or 0.5%
    ///
    /// Each connection is mirrored as a whole or not at all. A larger sample holds every connection of a smaller one.
    #[arg(long, value_name = "SHARE", help_heading = "How much")]
    pub sample: Option<Sample>,

    /// Cap what each target is sent, like 50kpps or 100mbit; both may be given
    ///
    /// The cap holds on average. What exceeds it is left out by whole connections, which are mirrored again when there
    /// is room. Units: pps, kpps, mpps, kbit, mbit, gbit.
    #[arg(long, value_name = "RATE", value_delimiter = ',', help_heading = "How much")]
    pub rate_limit: Vec<Rate>,

    /// Remove the cap
    #[arg(long, conflicts_with = "rate_limit", help_heading = "How much", hide_short_help = true)]
    pub no_rate_limit: bool,

    /// Stop after this time, like 24h; no process has to run for that
    #[arg(
        long = "for",
        value_name = "TIME",
        value_parser = time::duration,
        conflicts_with = "until",
        help_heading = "Until when"
    )]
    pub duration: Option<Duration>,

    /// Stop at this moment, like '2030-01-31 18:00' or 2030-01-31T18:00:00Z
    ///
    /// Without Z, the moment is by this host's clock.
    #[arg(
        long,
        value_name = "MOMENT",
        value_parser = time::moment,
        help_heading = "Until when"
    )]
    pub until: Option<Timestamp>,

    /// Remove the deadline: do not stop
    #[arg(
        long,
        alias = "no-end",
        conflicts_with_all = ["duration", "until"],
        help_heading = "Until when",
        hide_short_help = true
    )]
    pub no_deadline: bool,

    /// Count what would be sent, and send nothing
    #[arg(long, help_heading = "Load test")]
    pub dry_run: bool,

    /// End a dry run: send
    #[arg(
        long,
        alias = "no-dry-run",
        conflicts_with = "dry_run",
        help_heading = "Load test",
        hide_short_help = true
    )]
    pub live: bool,

    /// Send each connection N times, as if there were N times the clients
    #[arg(
        long,
        alias = "copies",
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_COPIES)),
        help_heading = "Load test"
    )]
    pub multiply: Option<u32>,

    /// Source addresses for extra copies, like 198.18.0.0/15
    ///
    /// One network for each IP version. Without it, extra copies have the client's address and other ports.
    #[arg(
        long,
        alias = "copies-from",
        value_name = "CIDR",
        value_delimiter = ',',
        help_heading = "Load test",
        hide_short_help = true
    )]
    pub multiply_from: Vec<Cidr>,
}
