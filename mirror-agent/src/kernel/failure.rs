//! Errors that callers and exit codes tell from others. All others are text.

use std::{error::Error, fmt, path::PathBuf};

use crate::kernel::role::Role;

/// Why a verb could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// What the verb is about is not attached.
    NotAttached {
        /// As which role; `None` for any.
        role: Option<Role>,
        /// At which interface.
        interface: String,
    },
    /// There is no BPF file system, so that nothing can be attached.
    NoBpfFileSystem(PathBuf),
    /// Another version of the agent attached, and this one does not know what its tables mean.
    OtherVersion {
        /// Which programs.
        role: Role,
        /// The interface.
        interface: String,
        /// What that agent calls itself.
        version: String,
    },
    /// Neither is there such an interface, nor was there when something was attached.
    NoInterface {
        /// What was typed.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAttached { role: None, interface } => {
                write!(f, "nothing is attached to {interface}")
            }
            Self::NotAttached { role: Some(role), interface } => {
                write!(f, "no {role} is attached at {interface}; see `{}`", role.verb())
            }
            Self::NoBpfFileSystem(directory) => {
                write!(f, "nothing is attached ({} is no BPF file system)", directory.display())
            }
            Self::OtherVersion { role, interface, version } => write!(
                f,
                "the {role} at {interface} was attached by another version ({version}); type \
                 `mirror-agent detach {interface} --role {role}`, and then `{}` again",
                role.verb()
            ),
            Self::NoInterface { name, known } => write!(
                f,
                "there is no interface {name}, and nothing is attached to it; this host has {}",
                known.join(", ")
            ),
        }
    }
}

impl Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_says_what_to_type() {
        let failure = Failure::OtherVersion {
            role: Role::Target,
            interface: "eth0".into(),
            version: "9.9.9".into(),
        };
        insta::assert_snapshot!(failure, @"the target at eth0 was attached by another version (9.9.9); type `mirror-agent detach eth0 --role target`, and then `drop` again");
    }

    #[test]
    fn what_is_not_there_is_named() {
        let failure =
            Failure::NoInterface { name: "etho".into(), known: vec!["lo".into(), "eth0".into()] };
        insta::assert_snapshot!(failure, @"there is no interface etho, and nothing is attached to it; this host has lo, eth0");
    }
}
