//! `lint`: formatting, layout, clippy, documentation. Warnings are errors.

use anyhow::{Result, bail};
use clap::Args;

use crate::{
    bpf_toolchain::{FLAGS, HELP, Toolchain},
    install,
    process::{WITHOUT_PROGRAMS, cargo, exec, target_dir, workspace},
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
    install::bpf_toolchain()?;
    exec(
        cargo()
            .args(["clippy", "--workspace", "--exclude", "mirror-ebpf", "--all-targets"])
            .args(["--", "--deny", "warnings"])
            .env(WITHOUT_PROGRAMS, "1"),
    )?;
    kernel_programs()?;
    exec(
        cargo()
            .args(["doc", "--workspace", "--exclude", "mirror-ebpf"])
            .args(["--no-deps", "--document-private-items"])
            .env("RUSTDOCFLAGS", "--deny warnings")
            .env(WITHOUT_PROGRAMS, "1"),
    )
}

/// The kernel programs compile for their own target only, and its compiler need not have clippy.
fn kernel_programs() -> Result<()> {
    let Some(toolchain) = Toolchain::find() else { bail!(HELP) };
    let target_dir = target_dir().join("ebpf-lint");
    if toolchain.bin.join("cargo-clippy").exists() {
        return exec(
            toolchain.cargo("clippy", &workspace(), &target_dir).args(["--", "--deny", "warnings"]),
        );
    }
    println!("no clippy for the BPF target: denying the compiler's warnings only");
    exec(
        toolchain
            .cargo("build", &workspace(), &target_dir)
            .env("RUSTFLAGS", format!("{FLAGS} --deny warnings")),
    )
}
