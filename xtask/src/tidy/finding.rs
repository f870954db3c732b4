//! What a check found, and what to do about it.

use std::fmt;

/// The checks, for the list of those that the code has yet to satisfy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Check {
    /// Files that need each other.
    Cycle,
    /// A room that uses one above it.
    Direction,
    /// A file that is in no room.
    Homeless,
    /// A long file that gives no reason.
    Long,
    /// A file that does not say what it is.
    Headless,
    /// What no page names.
    Undocumented,
    /// What is printed rather than written.
    Printed,
}

/// Something to mend.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Finding {
    pub(super) check: Check,
    pub(super) path: String,
    /// From 1.
    pub(super) line: usize,
    /// What is wrong, and what to do.
    pub(super) text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.text)
    }
}
