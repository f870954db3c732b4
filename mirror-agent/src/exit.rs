//! What the process ends with: `docs/exit-codes.md` lists the codes.
//!
//! `compare` and `status --check` end with a verdict of their own, which their help explains.

use std::process::ExitCode;

use crate::kernel::failure::Failure;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// An error, which was printed.
    Error,
    /// What was typed makes no sense. The parser of the command line ends the process with this by itself.
    Usage,
    /// What the verb is about is not attached.
    NotAttached,
}

impl Exit {
    /// What a verb's error means.
    pub fn of(error: &anyhow::Error) -> Self {
        match error.downcast_ref::<Failure>() {
            Some(
                Failure::NotAttached { .. } | Failure::Renamed { .. } | Failure::NoBpfFileSystem(_),
            ) => Self::NotAttached,
            Some(
                Failure::OtherVersion { .. }
                | Failure::OtherNamespace { .. }
                | Failure::NoInterface { .. },
            )
            | None => Self::Error,
        }
    }

    /// The number. Frozen: scripts go by it.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Error => 1,
            Self::Usage => 2,
            Self::NotAttached => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;
    use crate::kernel::pins::Role;

    #[test]
    fn a_failure_is_found_below_its_context() {
        let failure = || Failure::NotAttached { role: None, interface: "eth0".into() };
        assert_eq!(Exit::of(&failure().into()), Exit::NotAttached);
        let below = Err::<(), _>(failure()).context("cannot show counters").unwrap_err();
        assert_eq!(Exit::of(&below), Exit::NotAttached);
        let other = Failure::OtherVersion {
            role: Role::Source,
            interface: "eth0".into(),
            version: "9.9.9".into(),
        };
        assert_eq!(Exit::of(&other.into()), Exit::Error);
        assert_eq!(Exit::of(&anyhow!("nothing is attached")), Exit::Error);
    }

    #[test]
    fn the_documentation_has_all_codes() {
        let document = include_str!("../../docs/exit-codes.md");
        for exit in [Exit::Done, Exit::Error, Exit::Usage, Exit::NotAttached] {
            assert!(document.contains(&format!("\n| {} |", exit.code())), "{exit:?}");
        }
    }
}
