//! `fuzz`: libFuzzer looks for inputs that break what has to hold for all of them.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::{
    install,
    process::{exec, target_dir, workspace},
};

/// A file each in `fuzz/targets`.
const TARGETS: [&str; 5] = ["parse", "boundary", "seal", "flow", "codec"];

/// What to fuzz, and how long.
#[derive(Args)]
pub(crate) struct Options {
    /// All, if none is named
    #[arg(value_parser = TARGETS)]
    target: Vec<String>,
    /// Seconds for each target
    #[arg(long, value_name = "N", default_value = "30", value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    install::fuzzer()?;
    for target in TARGETS {
        if options.target.is_empty() || options.target.iter().any(|wanted| wanted == target) {
            println!("{target}: {} seconds", options.seconds);
            fuzz(target, options.seconds)?;
        }
    }
    Ok(())
}

fn fuzz(target: &str, seconds: u32) -> Result<()> {
    // What it finds helps the next run, but is not worth keeping in the repository.
    let found = target_dir().join("fuzz-corpus").join(target);
    fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
    let result = exec(
        cargo_fuzz(target)
            .arg(&found)
            .arg(format!("fuzz/corpus/{target}"))
            .args(["--", &format!("-max_total_time={seconds}")]),
    );
    match latest_failure(target) {
        Some(input) if result.is_err() => {
            let input = input.strip_prefix(workspace()).unwrap_or(&input).display();
            bail!(
                "{target} fails. To repeat it:\n  \
                 cp {input} fuzz/corpus/{target}/ && cargo test -p fuzz-bodies {target}"
            )
        }
        _ => result,
    }
}

/// `cargo fuzz run TARGET`, on nightly. What is fuzzed has no unsafe code, so that no sanitizer would
/// find anything.
fn cargo_fuzz(target: &str) -> Command {
    let mut command = Command::new("rustup");
    command
        .current_dir(workspace())
        .args(["run", "nightly", "cargo", "fuzz", "run", "--sanitizer", "none", "--target-dir"])
        .arg(target_dir().join("fuzz"))
        .arg(target);
    // Of the stable tool chain that runs this.
    for name in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    command
}

/// The input that `target` failed for last.
fn latest_failure(target: &str) -> Option<PathBuf> {
    let folder = workspace().join("fuzz/artifacts").join(target);
    let files = fs::read_dir(folder).ok()?.flatten();
    let latest =
        files.max_by_key(|file| file.metadata().and_then(|about| about.modified()).ok())?;
    Some(latest.path())
}
