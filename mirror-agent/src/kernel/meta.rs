//! What is remembered of an attachment: who attached, when, and with which settings.

use anyhow::{Context as _, Result, bail};
use mirror_common::abi::Meta;

use crate::kernel::{clock, failure::Failure, maps, pins::Attachment, settings::Settings};

/// Whether everything was attached. Not so while an agent is at it, or when one was killed meanwhile.
pub fn is_complete(attachment: &Attachment) -> bool {
    of_any_version(attachment).is_some_and(|meta| meta.abi != 0)
}

/// What is known of an attachment, whichever version made it; `None` where nothing can be read. Of another version's
/// (see [`Meta::abi`]), only what is frozen means anything.
pub fn of_any_version(attachment: &Attachment) -> Option<Meta> {
    match maps::meta(attachment) {
        Ok(table) => maps::get(&table, 0).ok(),
        // Another version's may have another size.
        Err(_) => maps::frozen_meta(attachment).ok().map(frozen),
    }
}

/// The frozen fields, from what is at the beginning of whichever version's value. All others are zero.
fn frozen(words: [u64; maps::FROZEN_WORDS]) -> Meta {
    let [first, attached_at, text @ ..] = words;
    let [a, b, c, d, e, f, g, h] = first.to_ne_bytes();
    let mut version = [0; 24];
    for (to, word) in version.chunks_exact_mut(8).zip(text) {
        to.copy_from_slice(&word.to_ne_bytes());
    }
    Meta {
        abi: u32::from_ne_bytes([a, b, c, d]),
        ifindex: u32::from_ne_bytes([e, f, g, h]),
        attached_at,
        version,
        ..Meta::default()
    }
}

/// Whether another version of the agent attached.
pub fn is_other_version(meta: &Meta) -> bool {
    meta.abi != 0 && meta.abi != Meta::ABI
}

/// What is known of an attachment.
///
/// # Errors
///
/// Where another version made it, or it is not complete.
pub fn read(attachment: &Attachment) -> Result<Meta> {
    let meta = match of_any_version(attachment) {
        Some(meta) => meta,
        None => maps::get(&maps::meta(attachment)?, 0)?,
    };
    if meta.abi == 0 {
        bail!("the {} at {} is half made; detach it", attachment.role, attachment.interface);
    }
    if is_other_version(&meta) {
        bail!(Failure::OtherVersion {
            role: attachment.role,
            interface: attachment.interface.clone(),
            version: version(&meta),
        });
    }
    Ok(meta)
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
    let now = clock::wall().as_secs();
    let meta = Meta {
        abi: Meta::ABI,
        attached_at: if before.abi == Meta::ABI { before.attached_at } else { now },
        changed_at: now,
        version,
        ..settings.meta()
    };
    table.set(0, meta, 0).context("cannot write META")
}

/// Remembers that the attachment was changed now.
pub fn touch(attachment: &Attachment) -> Result<()> {
    let mut table = maps::meta(attachment)?;
    let before = maps::get(&table, 0).context("cannot read META")?;
    let meta = Meta { changed_at: clock::wall().as_secs(), ..before };
    table.set(0, meta, 0).context("cannot write META")
}

/// The version of the agent that attached.
pub fn version(meta: &Meta) -> String {
    let text: Vec<u8> = meta.version.iter().copied().take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;

    #[test]
    fn the_first_fields_never_move() {
        assert_eq!(offset_of!(Meta, abi), 0);
        assert_eq!(offset_of!(Meta, ifindex), 4);
        assert_eq!(offset_of!(Meta, attached_at), 8);
        assert_eq!(offset_of!(Meta, version), 16);
        assert_eq!(size_of::<Meta>() % 8, 0, "another version reads it as 64-bit words");
    }

    #[test]
    fn what_is_frozen_is_read_from_words() {
        let first = [7u32.to_ne_bytes(), 3u32.to_ne_bytes()].concat();
        let first = u64::from_ne_bytes(first.try_into().unwrap());
        let text = u64::from_ne_bytes(*b"9.9.9\0\0\0");
        let meta = frozen([first, 1_700_000_000, text, 0, 0]);
        assert_eq!((meta.abi, meta.ifindex, meta.attached_at), (7, 3, 1_700_000_000));
        assert_eq!(version(&meta), "9.9.9");
    }
}
