//! `ci`: what has to pass before a change lands.

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
