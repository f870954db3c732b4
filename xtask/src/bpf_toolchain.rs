//! Where a compiler for the BPF target is, and how to call it.
//!
//! Also a module of mirror-agent's build script, so that what `xtask` installs is what the build
//! looks for.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The target of the kernel programs.
pub(crate) const TARGET: &str = "bpfel-unknown-none";

/// Full type information, and the instruction set of Linux 5.12 and later.
pub(crate) const FLAGS: &str = "-C debuginfo=2 -C link-arg=--btf -C target-cpu=v3";

/// Has the agent compiled without its kernel programs.
pub(crate) const SKIP: &str = "MIRROR_EBPF_SKIP_BUILD";

/// What to do where there is none.
pub(crate) const HELP: &str = "\
the kernel programs need a compiler for the BPF target and bpf-linker. For checks and tests of all else, do without
them: set MIRROR_EBPF_SKIP_BUILD=1. To have them, install either
  rustup toolchain install nightly --component rust-src && cargo install bpf-linker
or, on Debian 12 (`cargo xtask build`, as root, does this)
  apt-get install rustc-web cargo-web libstd-rust-web-dev-bpf llvm-22-dev && \\
    LLVM_PREFIX=/usr/lib/llvm-22 cargo install bpf-linker --version 0.13.0 --locked \\
      --no-default-features --features llvm-22";

/// What reaches a child cargo from its parent's environment: where things are, and the network.
const KEPT: [&str; 7] = [
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTR",
    "CARGO_SOURCE_",
    "CARGO_TERM_",
    "RUSTUP_HOME",
];

/// What cargo tells build scripts, of which we may be one. Crates that look at it would be compiled anew each time that
/// another program than the last calls.
const TOLD: [&str; 7] = ["DEBUG", "HOST", "NUM_JOBS", "OPT_LEVEL", "OUT_DIR", "PROFILE", "TARGET"];

/// A compiler for the BPF target.
pub(crate) struct Toolchain {
    /// The folder of its `cargo`, `rustc` and, maybe, `cargo-clippy`.
    pub(crate) bin: PathBuf,
    /// Whether `core` comes as source.
    builds_core: bool,
}

impl Toolchain {
    /// Debian's comes first: `bpf-linker` must not be older than the compiler, and a nightly is
    /// soon newer than the LLVM of the `bpf-linker` that `xtask` builds.
    pub(crate) fn find() -> Option<Self> {
        debian().or_else(nightly)
    }

    /// `cargo SUBCOMMAND` for the kernel programs, into a target folder of their own: cargo would
    /// wait for itself if it were shared with the build that called us. It is the same whoever
    /// calls, with the same flags, so that nothing is compiled twice.
    pub(crate) fn cargo(&self, subcommand: &str, workspace: &Path) -> Command {
        // By its path, as cargo would prefer the `cargo-clippy` of another toolchain.
        let own = self.bin.join(format!("cargo-{subcommand}"));
        let cargo = self.bin.join("cargo");
        let mut command = Command::new(if own.exists() { &own } else { &cargo });
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            let leaks = text.starts_with("CARGO") || text.starts_with("RUST");
            let kept = KEPT.iter().any(|kept| text.starts_with(kept));
            if leaks && !kept || TOLD.contains(&&*text) {
                command.env_remove(&name);
            }
        }
        command
            .current_dir(workspace.join("mirror-ebpf"))
            .args([subcommand, "--release", "--locked", "--target", TARGET, "--target-dir"])
            .arg(target_dir(workspace))
            .env("CARGO", cargo)
            .env("RUSTC", self.bin.join("rustc"))
            .env("RUSTFLAGS", FLAGS);
        if let Ok(path) = env::join_paths(search_path()) {
            command.env("PATH", path);
        }
        if self.builds_core {
            command.args(["-Z", "build-std=core"]);
        } else {
            // A stable compiler, but the target and its `core` need unstable features.
            command.env("RUSTC_BOOTSTRAP", "1");
        }
        command
    }
}

/// Where kernel programs are built.
pub(crate) fn target_dir(workspace: &Path) -> PathBuf {
    let shared = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    workspace.join(shared).join("ebpf")
}

/// Where a program is.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    search_path().into_iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// `rustc-web`, which has `core` for BPF prebuilt.
fn debian() -> Option<Toolchain> {
    let bin = PathBuf::from("/usr/bin");
    let sysroot = sysroot(Command::new(bin.join("rustc")))?;
    let core = sysroot.join("lib/rustlib").join(TARGET);
    (core.is_dir() && bin.join("cargo").exists()).then_some(Toolchain { bin, builds_core: false })
}

/// rustup's nightly, with the component `rust-src`.
fn nightly() -> Option<Toolchain> {
    let mut rustup = Command::new("rustup");
    rustup.args(["run", "nightly", "rustc"]);
    let sysroot = sysroot(rustup)?;
    let source = sysroot.join("lib/rustlib/src/rust/library");
    source.is_dir().then(|| Toolchain { bin: sysroot.join("bin"), builds_core: true })
}

fn sysroot(mut rustc: Command) -> Option<PathBuf> {
    let output = rustc.args(["--print", "sysroot"]).stderr(Stdio::null()).output().ok()?;
    let sysroot = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(sysroot.trim()))
}

/// PATH, and the folder of `cargo install`, which need not be on it.
fn search_path() -> Vec<PathBuf> {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .chain(home.map(|home| home.join("bin")))
        .collect()
}
