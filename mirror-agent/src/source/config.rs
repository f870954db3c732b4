//! What a source was told.

use anyhow::Result;
use jiff::Timestamp;
use mirror_common::packet::seal::Magic;

use crate::{
    config::{changes::Described, mapping::MapSpec, selection::Selection},
    kernel::{
        clock::Now,
        meta,
        pins::Attachment,
        settings::{self, Settings},
    },
    source::{mappings::in_use, selection_table},
};

/// What a source copies, and how.
#[derive(Clone, Debug)]
pub struct MirrorConfig {
    /// What marks copies.
    pub magic: Magic,
    /// How often each TCP copy is sent.
    pub redundancy: u32,
    /// Whether it copies what this host does not take itself.
    pub forwarded: bool,
    /// Its maps.
    pub maps: Vec<MapSpec>,
    /// What is mirrored of that which they match.
    pub selection: Selection,
}

impl MirrorConfig {
    /// Of a source without maps: all that maps match is to be mirrored, once, for good.
    pub fn fresh(magic: Magic) -> Self {
        Self { magic, redundancy: 1, forwarded: false, maps: Vec::new(), selection: Selection::all() }
    }

    /// What is in force.
    ///
    /// # Errors
    ///
    /// Where the kernel's tables cannot be read, or are another version's.
    pub fn read(source: &Attachment) -> Result<Self> {
        let meta = meta::read(source)?;
        Ok(Self {
            magic: Magic(meta.seal),
            redundancy: meta.redundancy,
            forwarded: meta.forwarded != 0,
            maps: in_use(source)?.into_values().collect(),
            selection: selection_table::read(source)?,
        })
    }

    /// What programs at the interface with this index, whose copy device has that index, are loaded with.
    pub fn settings(&self, ifindex: u32, copy_ifindex: u32, trace: bool) -> Settings {
        Settings::Source(settings::Source {
            ifindex,
            copy_ifindex,
            magic: self.magic,
            redundancy: self.redundancy,
            forwarded: self.forwarded,
            trace,
        })
    }

    /// In words, for what changes.
    pub fn describe(&self, now: Now) -> Described {
        let selection = &self.selection;
        let multiply = selection.multiply();
        let rates = selection.limits().rates();
        let cap = |number: usize| rates.get(number).map_or("none".to_owned(), ToString::to_string);
        Described::default()
            .items("map", &self.maps)
            .items("client", selection.clients.included())
            .items("excluded client", selection.clients.excluded())
            .items("source network for extra copies", &multiply.pools)
            .setting("magic", format_args!("{:#x}", self.magic.0))
            .setting("sample", selection.sample())
            .setting("rate limit", cap(0))
            .setting("second rate limit", cap(1))
            .setting("deadline", deadline(selection.deadline(), now))
            .setting("multiply", multiply.count)
            .setting("dry run", if selection.dry_run() { "yes" } else { "no" })
            .setting("forwarded", if self.forwarded { "yes" } else { "no" })
            .setting("redundancy", self.redundancy)
    }
}

/// A deadline in ns since boot, on the wall clock.
fn deadline(deadline: Option<u64>, now: Now) -> String {
    let Some(at) = deadline else { return "none".to_owned() };
    let boot = i128::from(at) - i128::from(now.since_boot);
    let wall = i128::try_from(now.wall.as_nanos()).unwrap_or(i128::MAX).saturating_add(boot);
    // Clocks are read one after the other: whole seconds.
    let seconds = i64::try_from((wall + 500_000_000) / 1_000_000_000).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).map_or_else(|_| "far away".to_owned(), |at| at.to_string())
}
