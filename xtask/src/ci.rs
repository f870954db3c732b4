//! `ci`: what has to pass before a change lands.
//!
//! It takes 20 minutes at most on two cores, from a clean checkout on a machine that has the tools. A test that would
//! take more than its share is ignored as "long", and `field --all` runs it. What is found soonest comes first; the
//! kernel programs are compiled once, by `lint`, and the agent's build takes them from there.

use anyhow::Result;
use clap::Args;

use crate::{lint, test};

/// Nothing to choose.
#[derive(Args)]
pub(crate) struct Options {}

/// Runs the task.
pub(crate) fn run(_: &Options) -> Result<()> {
    lint::run(&lint::Options {})?;
    test::run(&test::Options::default())
}
