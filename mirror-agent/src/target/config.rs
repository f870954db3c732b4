//! What a target was told.

use anyhow::Result;
use mirror_common::{memcached::admin_command, packet::seal::Magic};

use crate::{
    config::changes::Described,
    kernel::{meta, pins::Attachment},
    target::{allowed_macs, ports},
};

/// What a target serves, and how.
#[derive(Clone, Debug)]
pub struct TargetConfig {
    /// What marks copies.
    pub magic: Magic,
    /// Ports of memcached, in order.
    pub ports: Vec<u16>,
    /// MAC addresses that copies are taken from, in order, as keys of BPF maps; none for all.
    pub macs: Vec<u64>,
    /// Commands that are blocked, as `mirror_common::memcached::admin_command` numbers them.
    pub blocked: u32,
    /// Receive buffer that listeners are to have, in bytes; 0 for their own.
    pub receive_buffer: u32,
    /// Connections that can be mirrored at once.
    pub max_connections: u32,
}

impl TargetConfig {
    /// What is in force.
    ///
    /// # Errors
    ///
    /// Where the kernel's tables cannot be read, or are another version's.
    pub fn read(target: &Attachment) -> Result<Self> {
        let meta = meta::read(target)?;
        Ok(Self {
            magic: Magic(meta.seal),
            ports: ports::served(target)?,
            macs: allowed_macs::get(target)?,
            blocked: meta.blocked,
            receive_buffer: meta.receive_buffer,
            max_connections: meta.max_connections,
        })
    }

    /// In words, for what changes.
    pub fn describe(&self) -> Described {
        let yes = |yes: bool| if yes { "yes" } else { "no" };
        let takes = if self.macs.is_empty() { "all" } else { "those allowed" };
        Described::default()
            .items("port", &self.ports)
            .items("source MAC address", self.macs.iter().map(|mac| allowed_macs::text(*mac)))
            .setting("magic", format_args!("{:#x}", self.magic.0))
            .setting("copies taken from", takes)
            .setting("flush_all blocked", yes(self.blocked & admin_command::FLUSH != 0))
            .setting(
                "admin commands blocked",
                yes(self.blocked & admin_command::ADMINISTRATION != 0),
            )
            .setting("larger receive buffer", yes(self.receive_buffer != 0))
    }
}
