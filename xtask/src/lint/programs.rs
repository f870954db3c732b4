//! The kernel programs, which compile for their own target only.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::{
    bpf_toolchain::{HELP, Toolchain},
    process::{exec, workspace},
};

/// Looks for warnings of clippy, which the compiler for their target need not have, or else of the compiler. Neither
/// makes the agent's build compile anything again.
pub(super) fn check() -> Result<()> {
    let Some(toolchain) = Toolchain::find() else { bail!(HELP) };
    if toolchain.bin.join("cargo-clippy").exists() {
        return exec(toolchain.cargo("clippy", &workspace()).args(["--", "--deny", "warnings"]));
    }
    println!("no clippy for the BPF target: denying the compiler's warnings only");
    compile(&mut toolchain.cargo("build", &workspace()))
}

/// Builds them as the agent's build script does, so that they are compiled once: to deny warnings by a flag would be
/// another build. Of what is built already, cargo repeats the warnings.
fn compile(cargo: &mut Command) -> Result<()> {
    let output = cargo
        .args(["--message-format", "json"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot build the kernel programs")?;
    let messages = messages(&String::from_utf8_lossy(&output.stdout));
    for message in &messages {
        eprint!("{message}");
    }
    ensure!(output.status.success(), "building the kernel programs failed ({})", output.status);
    ensure!(messages.is_empty(), "the kernel programs have warnings");
    Ok(())
}

/// What the compiler had to say, of the lines that cargo writes.
fn messages(lines: &str) -> Vec<String> {
    lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["reason"] == "compiler-message")
        .filter_map(|line| line["message"]["rendered"].as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_compiler_is_listened_to() {
        let lines = r#"{"reason":"compiler-artifact","message":{"rendered":"no"}}
not JSON
{"reason":"compiler-message","message":{"rendered":"warning: unused\n"}}
{"reason":"build-finished","success":true}"#;
        assert_eq!(messages(lines), ["warning: unused\n"]);
    }
}
