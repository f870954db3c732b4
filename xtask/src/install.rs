//! Installs what is missing, from Debian's packages and crates.io.

mod debian;
mod servers;

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use self::debian::packages;
pub(crate) use self::servers::servers;
use crate::{
    bpf_toolchain::{HELP, Toolchain, find_program},
    process::{exec, workspace},
};

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
