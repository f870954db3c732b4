//! Installs what is missing, from Debian's packages and crates.io.

mod servers;

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};

pub(crate) use self::servers::servers;
use crate::{
    bpf_toolchain::{HELP, Toolchain, find_program},
    process::{exec, workspace},
};

/// Installs packages, but starts none of their services: memcached's would take the port and stay
/// behind, and the tests start their own. `policy-rc.d` is Debian's switch for that. One that is
/// there is somebody else's, and stays. It is a shell's trap that removes ours, as it has to go
/// even when the installation is interrupted.
const INSTALL: &str = r#"
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi
apt-get install -q -y --no-install-recommends "$@"
"#;

/// A compiler and a linker for the BPF target.
pub(crate) fn bpf_toolchain() -> Result<()> {
    if Toolchain::find().is_none() {
        packages(&["rustc-web", "cargo-web", "libstd-rust-web-dev-bpf"]).context(HELP)?;
    }
    if find_program("bpf-linker").is_none() {
        packages(&["llvm-22-dev"]).context(HELP)?;
        exec(
            Command::new("cargo")
                .args(["install", "bpf-linker", "--version", "0.13.0", "--locked"])
                .args(["--no-default-features", "--features", "llvm-22"])
                .env("LLVM_PREFIX", "/usr/lib/llvm-22"),
        )?;
    }
    Ok(())
}

/// What the end-to-end tests drive and look with.
pub(crate) fn lab_tools() -> Result<()> {
    packages(&[
        "bpftool",
        "ethtool",
        "iproute2",
        "libmemcached-tools",
        "memcached",
        "mptcpize",
        "nftables",
        "python3-pylibmc",
        "python3-pymemcache",
        "tcpdump",
    ])
}

/// What the long tests of the field drive besides: a client library for Node.js, from npm.
pub(crate) fn field_modules() -> Result<()> {
    let folder = workspace().join("target/field");
    if folder.join("node_modules/memjs").exists() {
        return Ok(());
    }
    // Node.js as its makers package it brings npm; Debian has it apart.
    if find_program("npm").is_none() {
        packages(&["nodejs", "npm"])?;
    }
    std::fs::create_dir_all(&folder).context("a folder for Node.js modules")?;
    exec(
        Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--prefix"])
            .arg(&folder)
            .arg("memjs@1.3.2"),
    )
}

/// Clients of the field and what stands before them, which the tests drive besides.
pub(crate) fn field_clients() -> Result<()> {
    packages(&[
        "libsasl2-modules",
        "nutcracker",
        "php-cli",
        "php-memcached",
        "ruby",
        "ruby-dalli",
        "sasl2-bin",
    ])
}

/// What starts other kernels.
pub(crate) fn emulator() -> Result<()> {
    packages(&["busybox-static", "cpio", "kmod", "qemu-system-x86"])
}

/// What `cargo fuzz` runs with: nightly, itself, and a compiler for libFuzzer.
pub(crate) fn fuzzer() -> Result<()> {
    if find_program("c++").is_none() {
        packages(&["g++"])?;
    }
    let nightly = Command::new("rustup")
        .args(["run", "nightly", "rustc", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("fuzzing needs a nightly compiler, and rustup to call it")?;
    if !nightly.success() {
        exec(Command::new("rustup").args([
            "toolchain",
            "install",
            "nightly",
            "--profile",
            "minimal",
        ]))?;
    }
    if find_program("cargo-fuzz").is_none() {
        exec(Command::new("cargo").args([
            "install",
            "cargo-fuzz",
            "--version",
            "0.13.2",
            "--locked",
        ]))?;
    }
    Ok(())
}

/// Installs those of `names` that are not installed.
fn packages(names: &[&str]) -> Result<()> {
    let missing: Vec<&str> = names.iter().copied().filter(|name| !is_installed(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if find_program("apt-get").is_none() {
        bail!("there is no apt-get to install {list}: install what corresponds to them here");
    }
    if !nix::unistd::geteuid().is_root() {
        bail!("only root can install {list}: run this as root, or install them first");
    }
    println!("installing {list}");
    exec(apt("apt-get").args(["update", "-q"]))?;
    exec(apt("sh").args(["-e", "-c", INSTALL, "install"]).args(&missing))
        .map_err(|_| anyhow!("apt-get install {list} failed: see its output above"))
}

fn apt(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["--show", "--showformat", "${db:Status-Status}", package])
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|output| output.stdout == b"installed")
}
