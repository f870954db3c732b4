//! Builds the kernel programs, for the agent to embed.
//!
//! The BPF target needs a compiler of its own: rustup's nightly with `rust-src`, or Debian's
//! `rustc-web`, which has `core` for BPF prebuilt. Whichever is there is used.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

const TARGET: &str = "bpfel-unknown-none";
const OBJECTS: [&str; 2] = ["source", "target"];
/// Full type information, and the instruction set of Linux 5.12 and later.
const FLAGS: &str = "-C debuginfo=2 -C link-arg=--btf -C target-cpu=v3";
const HELP: &str = "\
no compiler for the BPF target. Either of these helps, and `cargo xtask build` does the second:
  rustup toolchain install nightly --component rust-src && cargo install bpf-linker
  apt-get install rustc-web cargo-web libstd-rust-web-dev-bpf llvm-22-dev && \\
    LLVM_PREFIX=/usr/lib/llvm-22 cargo install bpf-linker --version 0.13.0 --no-default-features \
--features llvm-22 --locked";

fn main() -> Result<()> {
    let workspace = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("..");
    for part in ["Cargo.toml", "Cargo.lock", "mirror-ebpf", "mirror-common"] {
        println!("cargo::rerun-if-changed={}", workspace.join(part).display());
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let built = out.join("ebpf");
    let status = compiler(&workspace)?
        .current_dir(workspace.join("mirror-ebpf"))
        .args(["build", "--release", "--locked", "--target", TARGET, "--target-dir"])
        .arg(&built)
        .status()
        .context("cannot run cargo for the BPF target")?;
    if !status.success() {
        bail!("building the kernel programs failed");
    }
    for object in OBJECTS {
        let from = built.join(TARGET).join("release").join(object);
        fs::copy(&from, out.join(object))
            .with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(())
}

/// Cargo with a compiler that can build for BPF, and with a clean environment.
fn compiler(workspace: &Path) -> Result<Command> {
    let path = path_with_linker()?;
    let mut cargo = if let Some(cargo) = debian() {
        cargo
    } else if let Some(cargo) = nightly(workspace) {
        cargo
    } else {
        bail!(HELP);
    };
    for (name, _) in env::vars() {
        let ours = ["CARGO_HOME", "RUSTUP_HOME"].contains(&name.as_str());
        let leaks = name.starts_with("CARGO") || name.starts_with("RUST");
        if leaks && !ours && !cargo.get_envs().any(|(set, _)| set == name.as_str()) {
            cargo.env_remove(name);
        }
    }
    cargo.env("PATH", path).env("RUSTFLAGS", FLAGS);
    Ok(cargo)
}

fn debian() -> Option<Command> {
    let core = Path::new("/usr/lib/rustlib").join(TARGET);
    let here = core.is_dir() && Path::new("/usr/bin/cargo").exists();
    here.then(|| {
        let mut cargo = Command::new("/usr/bin/cargo");
        // Stable, with what `core` for BPF needs of nightly's.
        cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", "/usr/bin/rustc");
        cargo
    })
}

fn nightly(workspace: &Path) -> Option<Command> {
    let sysroot = Command::new("rustup")
        .args(["run", "nightly", "rustc", "--print", "sysroot"])
        .current_dir(workspace)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let sysroot = String::from_utf8(sysroot.stdout).ok()?;
    let source = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library");
    source.is_dir().then(|| {
        let mut cargo = Command::new("rustup");
        cargo.args(["run", "nightly", "cargo", "-Z", "build-std=core"]);
        cargo
    })
}

/// The search path, with the folder that `cargo install` puts bpf-linker into.
fn path_with_linker() -> Result<std::ffi::OsString> {
    let mut path: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    let installed = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
        env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"))
    });
    path.extend(installed.map(|home| home.join("bin")));
    if !path.iter().any(|folder| folder.join("bpf-linker").exists()) {
        bail!(HELP);
    }
    env::join_paths(path).context("PATH")
}
