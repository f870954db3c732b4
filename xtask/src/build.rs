//! `build`: from a fresh machine to `target/release/mirror-agent`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::{
    install,
    process::{cargo, exec, target_dir},
};

/// Nothing to choose.
#[derive(Args)]
pub(crate) struct Options {}

/// Runs the task.
pub(crate) fn run(_: &Options) -> Result<()> {
    println!("built {}", agent()?.display());
    Ok(())
}

/// Builds the agent, and returns where it is.
pub(crate) fn agent() -> Result<PathBuf> {
    install::bpf_toolchain()?;
    exec(cargo().args(["build", "--release", "--package", "mirror-agent"]))?;
    let agent = target_dir().join("release/mirror-agent");
    agent.canonicalize().with_context(|| format!("no {} was built", agent.display()))
}
