//! A source's tables are there twice, so that many entries can be changed at once: one bank is in force, the
//! other is filled, and then one number is changed.

use anyhow::{Context as _, Result};
use mirror_common::abi::BANKS;

use crate::kernel::{object, pins::Attachment};

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bank(u32);

impl Bank {
    /// The one that programs go by.
    pub fn in_force(attachment: &Attachment) -> Result<Self> {
        let number: u32 =
            object::get(&object::array(attachment, "BANK")?, 0).context("cannot read BANK")?;
        Ok(Self(number % BANKS))
    }

    /// The one that nobody looks at.
    #[must_use]
    pub fn other(self) -> Self {
        Self((self.0 + 1) % BANKS)
    }

    /// As the kernel counts them.
    pub fn number(self) -> u32 {
        self.0
    }

    /// Has programs go by this one from their next packet on.
    pub fn enforce(self, attachment: &Attachment) -> Result<()> {
        object::array(attachment, "BANK")?.set(0, self.0, 0).context("cannot write BANK")
    }
}
