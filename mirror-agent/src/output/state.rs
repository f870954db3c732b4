//! What verbs know, as it is shown.

use std::net::SocketAddr;

use super::selection::SelectionState;
use crate::{
    config::mapping::MapSpec,
    kernel::{attach::xdp::Mode, pins::Role},
    target::receive_buffer::Shortage,
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

/// What `status` knows of one attachment.
#[derive(Clone, Debug)]
pub struct State {
    /// The interface.
    pub interface: String,
    /// Which programs.
    pub role: Role,
    /// Whether the interface is still there.
    pub present: bool,
    /// Seconds since the epoch.
    pub attached_at: u64,
    /// Seconds that it has been attached for.
    pub age: u64,
    /// Version of the agent that attached.
    pub version: String,
    /// Magic of the seal.
    pub magic: u32,
    /// How often a source sends each TCP copy.
    pub redundancy: u32,
    /// Maps of a source.
    pub maps: Vec<MapSpec>,
    /// What is copied of that which the maps of a source take.
    pub selection: Option<SelectionState>,
    /// Ports of a target.
    pub ports: Vec<u16>,
    /// Those of them whose listeners lack room for large values.
    pub shortages: Vec<Shortage>,
    /// MAC addresses that a target takes copies from; none for all.
    pub from: Vec<String>,
    /// Whom a guard drops packets of.
    pub senders: Vec<SocketAddr>,
    /// Where a guard's program runs.
    pub mode: Option<Mode>,
    /// What does harm at its interface, and what to do about it.
    pub warnings: Vec<String>,
}
