//! Who may feed copies to a target: the MAC addresses of `drop --from`.

use anyhow::{Context as _, Result};
use aya::maps::{HashMap, Map, MapData, MapError};

use crate::{object, pins::Attachment};

/// Makes the kernel's table say `wanted` (keys as [`mirror_common::abi::mac_key`] makes them). New ones
/// first, so that nobody who stays is refused meanwhile.
pub fn set(attachment: &Attachment, wanted: &[u64]) -> Result<()> {
    let mut table = table(attachment)?;
    for mac in wanted {
        table.insert(mac, 1, 0).context("cannot write FEEDERS: too many MAC addresses?")?;
    }
    for mac in get(attachment)?.into_iter().filter(|mac| !wanted.contains(mac)) {
        table.remove(&mac).context("cannot write FEEDERS")?;
    }
    Ok(())
}

/// The MAC addresses that are allowed, in order; none for all.
pub fn get(attachment: &Attachment) -> Result<Vec<u64>> {
    let mut found: Vec<u64> = table(attachment)?
        .keys()
        .collect::<Result<_, MapError>>()
        .context("cannot read FEEDERS")?;
    found.sort_unstable();
    Ok(found)
}

/// A MAC address as it is written.
pub fn text(mac: u64) -> String {
    let bytes: Vec<String> =
        mac.to_be_bytes()[2..].iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(":")
}

fn table(attachment: &Attachment) -> Result<HashMap<MapData, u64, u32>> {
    object::hash(attachment, "FEEDERS", Map::HashMap)
}
