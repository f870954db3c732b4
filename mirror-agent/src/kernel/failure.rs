//! Errors that callers and exit codes tell from others. All others are text.

use std::{error::Error, fmt, path::PathBuf};

use crate::{kernel::role::Role, net::namespace::Namespace};

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
    /// It was attached in another network namespace.
    OtherNamespace {
        /// Which programs.
        role: Role,
        /// The interface, by the name that it had there.
        interface: String,
        /// Where.
        namespace: Namespace,
    },
    /// Nothing is attached to the interface that has this name now, but to one that had it before.
    Renamed {
        /// What was typed.
        interface: String,
        /// What the other is called now.
        now: String,
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
                "the {role} at {interface} was attached by another version ({version}), whose settings this one cannot \
                 read; type `{} {interface}` with all its settings to replace it, or `mirror-agent detach {interface} \
                 --role {role}`",
                role.verb()
            ),
            Self::OtherNamespace { role, interface, namespace } => {
                let there = match namespace.prefix() {
                    Some(prefix) => format!("there, like `{prefix} mirror-agent …`"),
                    None => "there (`lsns --type net` lists them)".to_owned(),
                };
                write!(
                    f,
                    "the {role} at {interface} belongs to another network namespace ({}); run this {there}, or give this network \
                     namespace a BPF file system of its own with --bpffs",
                    namespace.inode
                )
            }
            Self::Renamed { interface, now } => write!(
                f,
                "nothing is attached to {interface}: the interface that was called so is {now} now; type that name"
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
        insta::assert_snapshot!(failure, @"the target at eth0 was attached by another version (9.9.9), whose settings this one cannot read; type `drop eth0` with all its settings to replace it, or `mirror-agent detach eth0 --role target`");
    }

    #[test]
    fn another_namespace_says_where_and_what_to_do() {
        let failure = Failure::OtherNamespace {
            role: Role::Target,
            interface: "eth0".into(),
            namespace: Namespace { cookie: 7, inode: 1 },
        };
        insta::assert_snapshot!(failure, @"the target at eth0 belongs to another network namespace (1); run this there (`lsns --type net` lists them), or give this network namespace a BPF file system of its own with --bpffs");
    }

    #[test]
    fn a_new_interface_by_an_old_name_is_told_from_the_old_one() {
        let failure = Failure::Renamed { interface: "eth0".into(), now: "lan0".into() };
        insta::assert_snapshot!(failure, @"nothing is attached to eth0: the interface that was called so is lan0 now; type that name");
    }

    #[test]
    fn what_is_not_there_is_named() {
        let failure =
            Failure::NoInterface { name: "etho".into(), known: vec!["lo".into(), "eth0".into()] };
        insta::assert_snapshot!(failure, @"there is no interface etho, and nothing is attached to it; this host has lo, eth0");
    }
}
