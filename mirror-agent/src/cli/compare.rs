//! What can be typed after `compare`.

use std::{num::NonZeroUsize, time::Duration};

use clap::Args;

use crate::{
    config::{rate::Rate, sample::Sample, time},
    inspect::compare::pair::Pairs,
};

/// What help says at its end.
const EXIT_CODES: &str = "\
Examples:
  mirror-agent compare cache1=10.0.0.5
  mirror-agent compare cache1:11211-11214=10.0.0.5:11211-11214 --full --show

Exit codes:
  0   same: nothing differs, or less than --allow
  10  missing: keys are missing on a new server, and nothing is wrong
  11  wrong: keys are extra or stale on a new server, or have other flags or times to live
  12  unproven: nothing was found, but too little is known
  1   a pair could not be compared
  2   the command line is wrong

Of items that a client marked as stale (md with I), reading takes the right to renew them, on both servers; \
--gets does not.";

/// `compare`.
#[derive(Debug, Args)]
#[command(after_long_help = EXIT_CODES)]
pub struct Compare {
    /// What to compare, like cache1=10.0.0.5 or cache1:11212=10.0.0.5:11212; may be repeated
    ///
    /// Ranges of ports stand for a pair each: cache1:11211-11214=10.0.0.5:11211-11214.
    #[arg(value_name = "OLD=NEW", required = true)]
    pub pairs: Vec<Pairs>,

    /// Compare N keys of each pair
    ///
    /// They are taken at random from what both servers list.
    #[arg(long, value_name = "N", default_value = "10000")]
    pub sample: NonZeroUsize,

    /// Compare all keys
    #[arg(long, conflicts_with = "sample")]
    pub full: bool,

    /// Only keys that begin with this text; may be repeated
    #[arg(long = "prefix", value_name = "TEXT")]
    pub prefixes: Vec<String>,

    /// Overlook differences of fewer keys than this share, like 0.1%
    ///
    /// It holds for missing keys and for wrong ones, each. Of a sample, 95 % certainty is needed.
    #[arg(long, value_name = "SHARE")]
    pub allow: Option<Sample>,

    /// List N keys of each kind of difference [default: 20]
    #[arg(long, value_name = "N", hide_default_value = true, default_value_t = 0, default_missing_value = "20", num_args = 0..=1, require_equals = true)]
    pub show: usize,

    /// Look N times at a key that differs before it counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..=100))]
    pub rounds: u32,

    /// Wait before each further look, longer than copies are late
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = time::duration)]
    pub wait: Duration,

    /// Ask each server for at most N keys in a second
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: u32,

    /// Have an old server send no more than this, like 50mbit
    #[arg(long, value_name = "RATE", default_value = "200mbit", value_parser = kbits)]
    pub bandwidth: u32,

    /// Read by gets, as where memcached is older than 1.6.10
    ///
    /// That takes no right to renew stale items. But reading makes items more recently used, keys that a server lacks
    /// count as misses there, and times to live are not compared.
    #[arg(long)]
    pub gets: bool,

    /// A JSON document
    #[arg(long)]
    pub json: bool,

    /// Give up when memcached is busy, or says nothing, for this long
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time::duration)]
    pub timeout: Duration,
}

/// Kilobits (1000 bits) a second.
fn kbits(text: &str) -> Result<u32, String> {
    match text.parse()? {
        Rate::Kbits(kbits) => Ok(kbits),
        Rate::Packets(_) => {
            Err(format!("expected a rate like 50mbit (kbit, mbit, gbit), not '{text}'"))
        }
    }
}
