//! What verbs know, as it is shown.

use std::net::SocketAddr;

use super::{
    identity::{Identity, Origin},
    selection::SelectionState,
};
use crate::{
    config::{mapping::MapSpec, ports::PortRange},
    kernel::{
        attach::{hook::Mechanism, xdp::Mode},
        fallback::Fallback,
        pins::Role,
    },
    stats::{
        condition::Condition, connections::Connections, health::Health, snapshot::Snapshot,
        tally::Tally,
    },
    target::{hold_device::HoldQueue, receive_buffer::Shortage},
};

/// What `map list` knows of one source.
#[derive(Clone, Debug)]
pub struct MapState {
    /// The interface.
    pub interface: String,
    /// Its maps.
    pub maps: Vec<MapSpec>,
    /// What is copied of that which they take.
    pub selection: SelectionState,
}

/// A port of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServedPort {
    /// The port.
    pub port: u16,
    /// Whether a TCP socket listens at it in this network namespace; `None` where the kernel does not say.
    pub listens: Option<bool>,
}

/// What is known of one attachment.
#[derive(Clone, Debug)]
pub struct State {
    /// The interface.
    pub interface: String,
    /// Which programs.
    pub role: Role,
    /// Whether it can work at all.
    pub condition: Condition,
    /// How well it does.
    pub health: Health,
    /// Who attached, and when; `None` where that cannot be read.
    pub origin: Option<Origin>,
    /// What is specific to its role; `None` where it is half made, or another version's.
    pub detail: Option<Detail>,
    /// What does harm at its interface, and what to do about it.
    pub warnings: Vec<String>,
    /// What it does not see or does not do where it stands, and what to do about it.
    pub notes: Vec<String>,
    /// Where it is.
    pub identity: Identity,
}

/// What is known of an attachment that this version made.
#[derive(Clone, Debug)]
pub struct Detail {
    /// When it was last changed, in seconds since the epoch.
    pub changed_at: u64,
    /// By what the programs are attached, of a source or target.
    pub hook: Option<Mechanism>,
    /// What it is used in place of what would be better.
    pub fallbacks: Vec<Fallback>,
    /// Its counters.
    pub snapshot: Snapshot,
    /// What only one role has.
    pub role: RoleDetail,
}

impl Detail {
    /// What was done and what was lost, as the counters say.
    pub fn tally(&self) -> Tally {
        Tally::of(&self.snapshot)
    }

    /// By what the programs are attached, and what lets held copies out.
    pub(super) fn attached_by(&self, identity: &Identity) -> Vec<String> {
        let mut all: Vec<String> =
            self.hook.iter().map(|hook| format!("hook {}", hook.name())).collect();
        match &self.role {
            RoleDetail::Source { .. } => {}
            RoleDetail::Target(target) => match target.hold_queue {
                Some(queue) => all.push(format!("hold queue {}", queue.discipline)),
                None if identity.elsewhere => {}
                None => all.push("hold queue gone".to_owned()),
            },
            RoleDetail::Guard { mode, .. } => {
                all.extend(mode.iter().map(|mode| format!("{mode} XDP")));
            }
        }
        all
    }
}

impl TargetDetail {
    /// Its ports, in a line.
    pub(super) fn served(&self) -> String {
        let ports: Vec<u16> = self.ports.iter().map(|port| port.port).collect();
        PortRange::join(&ports)
    }
}

/// What only one role has.
#[derive(Clone, Debug)]
pub enum RoleDetail {
    /// A source.
    Source {
        /// The number that marks copies.
        magic: u32,
        /// How often each TCP copy is sent.
        redundancy: u32,
        /// Its maps.
        maps: Vec<MapSpec>,
        /// What is mirrored of that which they take.
        selection: SelectionState,
    },
    /// A target.
    Target(Box<TargetDetail>),
    /// A guard.
    Guard {
        /// Whose packets it drops.
        guarded_servers: Vec<SocketAddr>,
        /// Where its program runs.
        mode: Option<Mode>,
    },
}

/// What only a target has.
#[derive(Clone, Debug)]
pub struct TargetDetail {
    /// The number that marks copies.
    pub magic: u32,
    /// Its ports.
    pub ports: Vec<ServedPort>,
    /// Those of them whose listeners lack room for large values.
    pub shortages: Vec<Shortage>,
    /// MAC addresses that it takes copies from; none for all.
    pub allowed_macs: Vec<String>,
    /// Connections that it can mirror at once.
    pub max_connections: u32,
    /// Whether one of its host's answers reached a client of production, so that it opens none any more.
    pub leaked: bool,
    /// Those that it has.
    pub connections: Connections,
    /// Where copies wait; `None` where it is gone.
    pub hold_queue: Option<HoldQueue>,
}

#[cfg(test)]
pub(super) mod tests;
