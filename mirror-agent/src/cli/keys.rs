//! What can be typed after `keys`.

use std::{
    num::{NonZeroU64, NonZeroUsize},
    time::Duration,
};

use clap::Args;

use crate::{config::time, memcached::endpoint::Endpoint};

/// `keys`.
#[derive(Debug, Args)]
pub struct Keys {
    /// The memcached, as `HOST[:PORT]`: `cache1`, `10.0.0.5:11212` or `[fd00::5]`
    #[arg(value_name = "HOST")]
    pub server: Endpoint,

    /// Only keys that begin with this text; repeat it for more
    #[arg(long = "prefix", value_name = "TEXT")]
    pub prefixes: Vec<String>,

    /// A random sample of so many keys, in random order, when all were seen; the sample is kept in memory
    #[arg(long, value_name = "COUNT", conflicts_with = "limit")]
    pub sample: Option<NonZeroUsize>,

    /// Stop after so many keys
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<NonZeroU64>,

    /// Where memcached is older than 1.6.24 and does not list flags, ask for those of each key
    ///
    /// That begins when the list is complete. It counts each as a read in its statistics, though the item does
    /// not become more recently used. Of an item that a client marked as stale, this takes the right to renew it.
    #[arg(long)]
    pub flags: bool,

    /// Show the values, too, of up to so many bytes each; larger ones are not asked for
    ///
    /// The same holds as for --flags.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(..=1 << 30))]
    pub values: Option<u32>,

    /// A JSON document on each line
    #[arg(long)]
    pub json: bool,

    /// Give up where memcached is busy, or says nothing, for this long
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time::duration)]
    pub timeout: Duration,
}
