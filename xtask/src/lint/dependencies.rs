//! What the crates depend on: nothing that they do not use, and nothing that `deny.toml` refuses.

use std::process::Command;

use anyhow::Result;

use crate::{
    install,
    process::{exec, workspace},
};

/// Where to look for dependencies that are not used. Not in `fuzz/bodies`: `cargo machete` takes it for a member of the
/// workspace above it, which it is not.
const CRATES: [&str; 5] = ["mirror-agent", "mirror-common", "mirror-ebpf", "tests", "xtask"];

/// Looks for dependencies that are not used, and at licences, versions and origins of those that are.
pub(super) fn check() -> Result<()> {
    let machete = install::machete()?;
    exec(Command::new(machete).current_dir(workspace()).arg("--skip-target-dir").args(CRATES))?;
    exec(Command::new(install::deny()?).current_dir(workspace()).args([
        "--locked",
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ]))
}
