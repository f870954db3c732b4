//! What the user and the kernel must be able to do, checked before anything is changed.

use anyhow::{Context as _, Result, bail};
use caps::{CapSet, Capability};
use nix::sys::utsname::uname;

/// The oldest kernel that the programs were tried on.
const MINIMUM_KERNEL: (u32, u32) = (6, 1);
/// tcx came with commit e420bed02507.
const TCX_KERNEL: (u32, u32) = (6, 6);

/// Refuses when the process lacks a capability or the kernel a feature.
pub fn check() -> Result<()> {
    capabilities()?;
    kernel()
}

fn capabilities() -> Result<()> {
    let have =
        caps::read(None, CapSet::Effective).context("cannot read this process's capabilities")?;
    if have.contains(&Capability::CAP_SYS_ADMIN) && have.contains(&Capability::CAP_NET_ADMIN) {
        return Ok(());
    }
    let missing: Vec<String> =
        [Capability::CAP_BPF, Capability::CAP_NET_ADMIN, Capability::CAP_PERFMON]
            .into_iter()
            .filter(|wanted| !have.contains(wanted))
            .map(|wanted| wanted.to_string())
            .collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!("missing {}: run as root, or grant these capabilities", missing.join(", "))
}

fn kernel() -> Result<()> {
    match running()? {
        Some(found) if found < MINIMUM_KERNEL => bail!(
            "Linux {}.{} is too old: mirror-agent was tried on Linux {}.{} and later",
            found.0,
            found.1,
            MINIMUM_KERNEL.0,
            MINIMUM_KERNEL.1
        ),
        _ => Ok(()),
    }
}

/// Whether the kernel has tcx. One whose version says nothing is taken for a new one.
pub fn has_tcx() -> Result<bool> {
    Ok(running()?.is_none_or(|found| found >= TCX_KERNEL))
}

/// The version of the kernel that runs.
fn running() -> Result<Option<(u32, u32)>> {
    let name = uname().context("cannot tell the kernel's version")?;
    Ok(version(&name.release().to_string_lossy()))
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(version("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(version("6.18.44"), Some((6, 18)));
        assert_eq!(version("weird"), None);
    }
}
