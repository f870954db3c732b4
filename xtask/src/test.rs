//! `test`: everything.

use std::num::NonZeroUsize;

use anyhow::Result;
use clap::Args;

use crate::{
    build, install,
    process::{WITHOUT_PROGRAMS, cargo, exec},
};

/// What to run.
#[derive(Args)]
pub(crate) struct Options {
    /// Only tests whose name contains one of these
    filter: Vec<String>,
    /// Only the tests that need no root and no compiler for BPF: units, properties, snapshots
    #[arg(long, conflicts_with = "e2e")]
    unit: bool,
    /// Only the end-to-end tests
    #[arg(long)]
    e2e: bool,
    /// End-to-end tests at a time; each is several hosts with servers and clients of their own
    #[arg(long, value_name = "N", default_value = "2")]
    test_threads: NonZeroUsize,
}

impl Default for Options {
    fn default() -> Self {
        let test_threads = NonZeroUsize::MIN.saturating_add(1);
        Self { filter: Vec::new(), unit: false, e2e: false, test_threads }
    }
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    if !options.e2e {
        without_root(&options.filter)?;
    }
    if !options.unit {
        end_to_end(options)?;
    }
    Ok(())
}

/// What needs neither root nor a compiler for the kernel programs.
fn without_root(filter: &[String]) -> Result<()> {
    exec(
        cargo()
            .args(["test", "--workspace"])
            .args(["--exclude", "mirror-ebpf", "--exclude", "mirror-tests", "--"])
            .args(filter)
            .env(WITHOUT_PROGRAMS, "1"),
    )
}

fn end_to_end(options: &Options) -> Result<()> {
    install::lab_tools()?;
    install::field_clients()?;
    let servers = install::servers()?;
    let agent = build::agent()?;
    exec(
        cargo()
            .args(["test", "--package", "mirror-tests", "--no-fail-fast", "--"])
            .args(["--test-threads", &options.test_threads.to_string()])
            .args(&options.filter)
            .env("MIRROR_AGENT", agent)
            .env("MIRROR_SERVERS", servers),
    )
}
