//! What is mirrored, in the kernel's tables: reading and writing one generation of them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use aya::maps::lpm_trie::Key;
use mirror_common::source::select::Prefix;

use crate::{
    config::{clients::Clients, selection::Selection},
    kernel::{maps, pins::Attachment},
    source::generation::Generation,
};

/// The selection that is active.
///
/// # Errors
///
/// Where the kernel's tables cannot be read.
pub fn read(source: &Attachment) -> Result<Selection> {
    let generation = Generation::active(source)?;
    let entry = maps::get(&maps::selection(source)?, generation.number());
    let entry = entry.context("cannot read SELECTION")?;
    Ok(Selection::from_kernel(entry, read_clients(source, generation)?))
}

/// Makes a generation of the kernel's tables say `selection`.
///
/// # Errors
///
/// Where the kernel's tables cannot be written.
pub fn write(source: &Attachment, generation: Generation, selection: &Selection) -> Result<()> {
    write_clients(source, generation, &selection.clients)?;
    maps::selection(source)?
        .set(generation.number(), selection.to_kernel(), 0)
        .context("cannot write SELECTION")
}

fn read_clients(source: &Attachment, generation: Generation) -> Result<Clients> {
    let mut prefixes = BTreeMap::new();
    for entry in &maps::clients(source)? {
        let (key, verdict) = entry.context("cannot read CLIENTS")?;
        let (bits, key) = (key.prefix_len(), key.data());
        if key.generation() == generation.number() {
            prefixes.insert(Prefix { bits, key: key.in_generation(0) }, verdict);
        }
    }
    Ok(Clients::from_prefixes(prefixes))
}

/// Makes a generation of the table of prefixes say `clients`.
///
/// # Errors
///
/// Where the kernel's table cannot be written.
pub fn write_clients(source: &Attachment, generation: Generation, clients: &Clients) -> Result<()> {
    let mut table = maps::clients(source)?;
    let entry =
        |prefix: &Prefix| Key::new(prefix.bits, prefix.key.in_generation(generation.number()));
    for prefix in read_clients(source, generation)?.prefixes().keys() {
        if !clients.prefixes().contains_key(prefix) {
            table.remove(&entry(prefix)).context("cannot write CLIENTS")?;
        }
    }
    for (prefix, verdict) in clients.prefixes() {
        table.insert(&entry(prefix), verdict, 0).context("cannot write CLIENTS")?;
    }
    Ok(())
}
