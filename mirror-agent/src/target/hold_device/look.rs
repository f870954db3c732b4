//! What the hold device is like right now, by looking at it.

use std::fmt;

use anyhow::Result;

use super::order;
use crate::{
    kernel::fallback::Fallback,
    net::{netlink::Network, queue::Queue},
};

/// What lets held copies out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discipline {
    /// A token bucket: as it should be.
    Tbf,
    /// Fair queueing with a rate.
    Fq,
    /// Nothing that is known here.
    None,
}

impl Discipline {
    /// In tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tbf => "tbf",
            Self::Fq => "fq",
            Self::None => "none",
        }
    }

    /// What it stands in for; nothing where it is the best.
    pub const fn fallback(self) -> Option<Fallback> {
        match self {
            Self::Tbf => None,
            Self::Fq => Some(Fallback::FairQueue),
            Self::None => Some(Fallback::NoQueue),
        }
    }
}

impl fmt::Display for Discipline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The hold device of one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldQueue {
    /// What lets copies out.
    pub discipline: Discipline,
    /// Whether one CPU at a time takes them; `None` where the kernel does not say.
    pub ordered: Option<bool>,
}

impl HoldQueue {
    /// The one whose ends have these names; `None` where it is gone.
    ///
    /// # Errors
    ///
    /// Where the kernel does not list its queues.
    pub async fn of(network: &Network, (near, far): (String, String)) -> Result<Option<Self>> {
        let Some(link) = network.link(&near).await? else { return Ok(None) };
        let queue = Queue::without_link(network, link.header.index).await?;
        let discipline = match queue.root.as_str() {
            "tbf" => Discipline::Tbf,
            "fq" => Discipline::Fq,
            _ => Discipline::None,
        };
        Ok(Some(Self { discipline, ordered: order::is_kept(&far).ok() }))
    }

    /// What it does without.
    pub fn fallbacks(self) -> impl Iterator<Item = Fallback> {
        let unordered = (self.ordered == Some(false)).then_some(Fallback::Unordered);
        self.discipline.fallback().into_iter().chain(unordered)
    }
}
