//! What can be typed after `keys`.

use std::{
    num::{NonZeroU64, NonZeroUsize},
    time::Duration,
};

use clap::Args;

use crate::{config::time, memcached::endpoint::Endpoint};

/// What long help says at its end.
const EXAMPLES: &str = "\
Examples:
  mirror-agent keys cache1
  mirror-agent keys '[fd00::5]:11212' --prefix user: --json
  mirror-agent keys 10.0.0.5 --sample 1000";

/// `keys`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Keys {
    /// The memcached, like cache1 or 10.0.0.5:11212; IPv6 with a port goes in brackets
    #[arg(value_name = "HOST")]
    pub server: Endpoint,

    /// Only keys that begin with this text; may be repeated
    #[arg(long = "prefix", value_name = "TEXT")]
    pub prefixes: Vec<String>,

    /// Show a random sample of N keys
    ///
    /// They are shown in random order, when all were seen. The sample is kept in memory.
    #[arg(long, value_name = "N", conflicts_with = "limit")]
    pub sample: Option<NonZeroUsize>,

    /// Stop after N keys
    #[arg(long, value_name = "N")]
    pub limit: Option<NonZeroU64>,

    /// Ask for the flags of each key, where memcached is older than 1.6.24
    ///
    /// Such a memcached does not list flags. Asking begins when the list is complete. It counts each as a read in its statistics, though the item does
    /// not become more recently used. Of an item that a client marked as stale, this takes the right to renew it.
    #[arg(long)]
    pub flags: bool,

    /// Show values of up to so many bytes
    ///
    /// Larger ones are not asked for. The same holds as for --flags.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(..=1 << 30))]
    pub values: Option<u32>,

    /// A JSON document on each line
    #[arg(long)]
    pub json: bool,

    /// Give up when memcached is busy, or says nothing, for this long
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time::duration)]
    pub timeout: Duration,
}
