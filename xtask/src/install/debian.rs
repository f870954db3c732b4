//! Debian's packages.

use std::process::{Command, Stdio};

use anyhow::{Result, anyhow, bail};

use crate::{bpf_toolchain::find_program, process::exec};

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

/// Installs those of `names` that are not installed.
pub(super) fn packages(names: &[&str]) -> Result<()> {
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

/// One of apt's programs, which asks nothing.
pub(super) fn apt(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_installed(package: &str) -> bool {
    query(package, "${db:Status-Status}").is_some_and(|status| status == "installed")
}

/// The version of a package that is installed.
pub(super) fn version(package: &str) -> Option<String> {
    query(package, "${Version}").filter(|version| !version.is_empty())
}

fn query(package: &str, field: &str) -> Option<String> {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat", field, package]).stderr(Stdio::null());
    let output = query.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
