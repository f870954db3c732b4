//! Whether what is attached can work at all.

use std::fmt;

/// What has become of an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It works.
    Running,
    /// The deadline of a source has passed: nothing is mirrored any more.
    Expired,
    /// The interface is there, and is down.
    InterfaceDown,
    /// The interface is gone, or another has its name.
    InterfaceGone,
    /// The copy device of a source is gone: nothing is mirrored.
    CopyDeviceGone,
    /// An agent was killed while it attached, or is at it right now.
    Incomplete,
    /// Another version of the agent attached.
    OtherVersion,
    /// It is in another network namespace, and nothing is known of its interface here.
    OtherNamespace,
    /// It was in another network namespace, and its interface is gone there.
    EndedElsewhere,
}

impl Condition {
    /// Whether it works, here or in another network namespace.
    pub const fn works(self) -> bool {
        matches!(self, Self::Running | Self::OtherNamespace)
    }

    /// In tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Expired => "expired",
            Self::InterfaceDown => "interface down",
            Self::InterfaceGone => "interface gone",
            Self::CopyDeviceGone => "copy device gone",
            Self::Incomplete => "incomplete",
            Self::OtherVersion => "other version",
            Self::OtherNamespace => "other namespace",
            Self::EndedElsewhere => "ended elsewhere",
        }
    }

    /// What it is, and what to do about it; nothing where it works.
    pub const fn advice(self) -> Option<&'static str> {
        match self {
            Self::Running | Self::OtherNamespace => None,
            Self::Expired => Some("the deadline has passed: nothing is mirrored"),
            Self::InterfaceDown => Some("the interface is down: nothing arrives until it is up"),
            Self::InterfaceGone => {
                Some("the interface is gone: detach, or attach again when it is back")
            }
            Self::CopyDeviceGone => {
                Some("the copy device is gone: nothing is mirrored; attach again")
            }
            Self::Incomplete => Some(
                "it is being attached right now, or an agent was killed while it did so; if it stays like this, \
                 attach again, or detach",
            ),
            Self::OtherVersion => Some(
                "another version attached it: attach again with all settings, which replaces it, or detach",
            ),
            Self::EndedElsewhere => Some(
                "its interface, which was in another network namespace, is gone: detach clears what is left",
            ),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
