//! A source's tables are there twice, so that many entries can be changed at once: one generation is in force, the
//! other is filled, and then one number is changed.

use anyhow::{Context as _, Result};
use mirror_common::abi::GENERATIONS;

use crate::kernel::{maps, pins::Attachment};

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(u32);

impl Generation {
    /// The one that programs go by.
    pub fn active(attachment: &Attachment) -> Result<Self> {
        let number: u32 =
            maps::get(&maps::generation(attachment)?, 0).context("cannot read GENERATION")?;
        Ok(Self(number % GENERATIONS))
    }

    /// The one that nobody looks at.
    #[must_use]
    pub fn other(self) -> Self {
        Self((self.0 + 1) % GENERATIONS)
    }

    /// As the kernel counts them.
    pub fn number(self) -> u32 {
        self.0
    }

    /// Has programs go by this one from their next packet on.
    pub fn activate(self, attachment: &Attachment) -> Result<()> {
        maps::generation(attachment)?.set(0, self.0, 0).context("cannot write GENERATION")
    }
}
