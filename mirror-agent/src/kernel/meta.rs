//! What is remembered of an attachment: who attached, when, and with which settings.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use mirror_common::abi::Meta;

use crate::kernel::{maps, pins::Attachment, settings::Settings};

/// Whether everything was attached. Not so while an agent is at it, or when one was killed meanwhile.
pub fn is_complete(attachment: &Attachment) -> bool {
    read_any(attachment).is_ok_and(|meta| meta.abi != 0)
}

/// What is known of an attachment.
///
/// # Errors
///
/// Where another version made it.
pub fn read(attachment: &Attachment) -> Result<Meta> {
    let meta = read_any(attachment)?;
    if meta.abi != Meta::ABI {
        bail!(
            "the {} at {} was attached by another version ({}); detach it with that version, or \
             remove its pins, and attach again",
            attachment.role,
            attachment.interface,
            version(&meta)
        );
    }
    Ok(meta)
}

fn read_any(attachment: &Attachment) -> Result<Meta> {
    Ok(maps::get(&maps::meta(attachment)?, 0)?)
}

/// Writes down who attached, when and with what. The moment of the first time stays.
///
/// # Errors
///
/// Where the kernel does not take it.
pub fn write(attachment: &Attachment, settings: &Settings) -> Result<()> {
    let mut table = maps::meta(attachment)?;
    let before = maps::get(&table, 0).context("cannot read META")?;
    let mut version = [0; 24];
    for (to, from) in version.iter_mut().zip(env!("CARGO_PKG_VERSION").bytes()) {
        *to = from;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let meta = Meta {
        abi: Meta::ABI,
        attached_at: if before.abi == Meta::ABI { before.attached_at } else { now },
        changed_at: now,
        version,
        ..settings.meta()
    };
    table.set(0, meta, 0).context("cannot write META")
}

/// The version of the agent that attached.
pub fn version(meta: &Meta) -> String {
    let text: Vec<u8> = meta.version.iter().copied().take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&text).into_owned()
}
