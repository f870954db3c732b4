//! `lint`: formatting, layout, dependencies, clippy, documentation. Warnings are errors.

mod dependencies;
mod programs;

use anyhow::Result;
use clap::Args;

use crate::{
    install,
    process::{WITHOUT_PROGRAMS, cargo, exec},
    tidy,
};

/// Nothing to choose.
#[derive(Args)]
pub(crate) struct Options {}

/// Runs the task.
pub(crate) fn run(_: &Options) -> Result<()> {
    exec(cargo().args(["fmt", "--all", "--check"]))?;
    exec(cargo().args(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]))?;
    tidy::run(&tidy::Options::default())?;
    dependencies::check()?;
    install::bpf_toolchain()?;
    install::bpf_clippy();
    exec(
        cargo()
            .args(["clippy", "--workspace", "--exclude", "mirror-ebpf", "--all-targets"])
            .args(["--", "--deny", "warnings"])
            .env(WITHOUT_PROGRAMS, "1"),
    )?;
    programs::check()?;
    exec(
        cargo()
            .args(["doc", "--workspace", "--exclude", "mirror-ebpf"])
            .args(["--no-deps", "--document-private-items"])
            .env("RUSTDOCFLAGS", "--deny warnings")
            .env(WITHOUT_PROGRAMS, "1"),
    )
}
