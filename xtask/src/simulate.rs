//! `simulate`: the synthetic client in a simulated network, for as many seeds as are wanted.

use std::{
    ops::Range,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::process::{cargo, exec};

/// Which seeds.
#[derive(Args)]
pub(crate) struct Options {
    /// Only properties whose name contains one of these
    filter: Vec<String>,
    /// How many, for each property; a new range each time
    #[arg(long, value_name = "COUNT", default_value = "10000")]
    seeds: u64,
    /// The first of them
    #[arg(long, value_name = "SEED")]
    from: Option<u64>,
    /// Only this one, as a failure names it
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    let seeds = seeds(options)?;
    println!("seeds {seeds:?}");
    exec(
        cargo()
            .args(["test", "--quiet", "--package", "mirror-common", "--test", "simulation"])
            .args(["--", "--nocapture"])
            .args(&options.filter)
            .env("MIRROR_SEEDS", format!("{seeds:?}")),
    )
}

fn seeds(options: &Options) -> Result<Range<u64>> {
    if let Some(seed) = options.seed {
        return Ok(seed..seed.saturating_add(1));
    }
    let from = match options.from {
        Some(from) => from,
        // Other seeds than those of any other run.
        None => SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() << 24,
    };
    let end = from.checked_add(options.seeds).context("there are no seeds beyond 2^64")?;
    Ok(from..end)
}
