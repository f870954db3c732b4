//! Who may send copies to a target: the MAC addresses of `drop --source-mac`.

use anyhow::Result;

use crate::kernel::{maps, pins::Attachment};

/// Makes the kernel's table say `wanted` (keys as [`mirror_common::abi::mac_key`] makes them).
pub fn set(attachment: &Attachment, wanted: &[u64]) -> Result<()> {
    maps::allowed_macs(attachment)?.replace(wanted)
}

/// The MAC addresses that are allowed, in order; none for all.
pub fn get(attachment: &Attachment) -> Result<Vec<u64>> {
    let mut found = maps::allowed_macs(attachment)?.keys()?;
    found.sort_unstable();
    Ok(found)
}

/// A MAC address as it is written.
pub fn text(mac: u64) -> String {
    let bytes: Vec<String> =
        mac.to_be_bytes()[2..].iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(":")
}
