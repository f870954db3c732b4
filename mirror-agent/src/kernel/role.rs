//! What a host can be to a mirror.

use std::fmt;

/// Which programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The old host: makes copies.
    Source,
    /// The new host: serves copies.
    Target,
    /// Any host: drops what a new host might send to clients.
    Guard,
}

impl Role {
    /// All.
    pub const ALL: [Self; 3] = [Self::Source, Self::Target, Self::Guard];

    /// Name of the directory, and in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
            Self::Guard => "guard",
        }
    }

    /// The verb that attaches it.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Source => "attach",
            Self::Target => "drop",
            Self::Guard => "guard",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
