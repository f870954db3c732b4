//! Builds the kernel programs, for the agent to embed.
//!
//! The BPF target needs a compiler of its own: see `bpf_toolchain`.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::bpf_toolchain::{HELP, SKIP, TARGET, Toolchain, find_program, target_dir};

#[path = "../xtask/src/bpf_toolchain.rs"]
mod bpf_toolchain;

const OBJECTS: [&str; 3] = ["source", "target", "guard"];

fn main() -> Result<()> {
    let workspace = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("..");
    for part in [
        "Cargo.toml",
        "Cargo.lock",
        "mirror-common/Cargo.toml",
        "mirror-common/src",
        "mirror-ebpf/Cargo.toml",
        "mirror-ebpf/src",
        "xtask/src/bpf_toolchain.rs",
    ] {
        println!("cargo::rerun-if-changed={}", workspace.join(part).display());
    }
    println!("cargo::rerun-if-env-changed={SKIP}");

    let out = PathBuf::from(env::var("OUT_DIR")?);
    if env::var_os(SKIP).is_some() { skip(&out) } else { build(&workspace, &out) }
}

fn build(workspace: &Path, out: &Path) -> Result<()> {
    let (Some(toolchain), Some(_)) = (Toolchain::find(), find_program("bpf-linker")) else {
        bail!(HELP);
    };
    let mut cargo = toolchain.cargo("build", workspace);
    let status = cargo.status().with_context(|| format!("cannot run {cargo:?}"))?;
    if !status.success() {
        bail!("building the kernel programs failed ({status})");
    }
    let built = target_dir(workspace).join(TARGET).join("release");
    for object in OBJECTS {
        let from = built.join(object);
        fs::copy(&from, out.join(object))
            .with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(())
}

/// Leaves empty objects, never those of an earlier build: they cannot be loaded by mistake.
fn skip(out: &Path) -> Result<()> {
    println!("cargo::warning={SKIP} is set: this agent has no kernel programs");
    for object in OBJECTS {
        fs::write(out.join(object), []).with_context(|| format!("cannot write {object}"))?;
    }
    Ok(())
}
