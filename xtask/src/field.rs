//! `field`: situations that operators have, and with `--all` every test that takes too long for each change.

use std::num::NonZeroUsize;

use anyhow::Result;
use clap::Args;

use crate::{
    build, install,
    process::{cargo, exec},
};

/// What to run.
#[derive(Args)]
pub(crate) struct Options {
    /// Only tests whose name contains one of these
    filter: Vec<String>,
    /// The long ones, too, of the field and of everything else: those that `test` leaves out
    #[arg(long)]
    all: bool,
    /// Tests at a time; each is several hosts with servers and clients of their own
    #[arg(long, value_name = "N", default_value = "2")]
    test_threads: NonZeroUsize,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    install::lab_tools()?;
    install::field_clients()?;
    let servers = install::servers()?;
    if options.all {
        install::field_modules()?;
    }
    let agent = build::agent()?;
    let tests = |chosen: &[&str], mode: &[&str]| {
        exec(
            cargo()
                .args(["test", "--package", "mirror-tests", "--no-fail-fast"])
                .args(chosen)
                .args(["--", "--test-threads", &options.test_threads.to_string()])
                .args(mode)
                .args(&options.filter)
                .env("MIRROR_AGENT", &agent)
                .env("MIRROR_SERVERS", &servers),
        )
    };
    tests(&["--test", "field"], &[])?;
    if options.all {
        tests(&[], &["--ignored"])?;
    }
    Ok(())
}
