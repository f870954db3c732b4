//! `nft dup`: the kernel's own way to copy packets to another host. Like ours it copies, routes and sends.

use anyhow::{Result, anyhow, ensure};
use mirror_tests::{Host, mirror::PORT};

use super::site::BLACK_HOLE;

const TABLE: &str = "ip bench";

/// Turns it on, before connection tracking, which copies do not need.
pub(crate) fn start(host: &Host) -> Result<()> {
    nft(
        host,
        &format!(
            "table {TABLE} {{
                 chain copies {{
                     type filter hook prerouting priority raw
                     iifname eth0 tcp dport {PORT} dup to {BLACK_HOLE} device hole
                 }}
             }}"
        ),
    )
}

/// Turns it off.
pub(crate) fn stop(host: &Host) -> Result<()> {
    nft(host, &format!("delete table {TABLE}"))
}

/// Why this kernel cannot do it, if so.
pub(crate) fn lacking(host: &Host) -> Option<String> {
    let tried = start(host).and_then(|()| stop(host));
    tried.err().map(|error| format!("this kernel has no nft dup ({error:#})"))
}

fn nft(host: &Host, rules: &str) -> Result<()> {
    let output =
        host.command("nft").arg(rules).output().map_err(|error| anyhow!("nft: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}", said.lines().next().unwrap_or("nft failed").trim());
    Ok(())
}
