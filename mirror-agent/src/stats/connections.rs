//! Mirrored connections as they are now, by state: one pass over a target's table.

use anyhow::{Context as _, Result};
use aya::maps::MapError;
use mirror_common::abi::{Flow, FlowKey, ReplySide, State};

use crate::kernel::{maps, pins::Attachment};

/// How many connections are in which state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// Memcached has accepted them, and they are synchronised.
    pub open: u64,
    /// A SYN was given to TCP, which has not answered yet.
    pub opening: u64,
    /// Memcached has closed them, and their clients have not.
    pub closing: u64,
    /// The target does not know yet where their next request begins.
    pub unsynced: u64,
    /// A direct client's: the mirror leaves them alone.
    pub direct: u64,
    /// Ports with open connections, in order.
    pub open_ports: Vec<u16>,
}

impl Connections {
    /// Those of a target.
    ///
    /// # Errors
    ///
    /// Where the table cannot be read.
    pub fn read(target: &Attachment) -> Result<Self> {
        let mut found = Self::default();
        for entry in maps::flows(target)?.iter() {
            match entry {
                Ok((key, flow)) => found.add(&key, &flow),
                // Gone since it was listed.
                Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(error).context("cannot read FLOWS"),
            }
        }
        Ok(found)
    }

    /// All that have a place in the table.
    pub fn total(&self) -> u64 {
        self.open + self.opening + self.closing + self.unsynced + self.direct
    }

    fn add(&mut self, key: &FlowKey, flow: &Flow) {
        match flow.copy.state {
            State::DIRECT => self.direct += 1,
            State::SYNCED if flow.reply.has(ReplySide::BIT_FIN) => self.closing += 1,
            State::SYNCED if flow.reply.has(ReplySide::BIT_SYN_ACK) => {
                self.open += 1;
                let port = u16::from_be(key.local_port);
                if let Err(place) = self.open_ports.binary_search(&port) {
                    self.open_ports.insert(place, port);
                }
            }
            State::SYNCED => self.opening += 1,
            _ => self.unsynced += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counts_once() {
        let key = |port: u16| FlowKey {
            client_addr: [1; 4],
            local_addr: [2; 4],
            client_port: 1,
            local_port: port.to_be(),
            protocol: 6,
            pad: 0,
            request: 0,
        };
        let flow = |state, bits| {
            let mut flow = Flow::default();
            flow.copy.state = state;
            flow.reply.bits = bits;
            flow
        };
        let mut found = Connections::default();
        for port in [11212, 11211, 11212] {
            found.add(&key(port), &flow(State::SYNCED, ReplySide::BIT_SYN_ACK));
        }
        found.add(&key(1), &flow(State::SYNCED, 0));
        found.add(&key(1), &flow(State::SYNCED, ReplySide::BIT_SYN_ACK | ReplySide::BIT_FIN));
        found.add(&key(1), &flow(State::UNSYNCED, 0));
        found.add(&key(1), &flow(State::DIRECT, ReplySide::BIT_SYN_ACK));
        let expected = Connections {
            open: 3,
            opening: 1,
            closing: 1,
            unsynced: 1,
            direct: 1,
            open_ports: vec![11211, 11212],
        };
        assert_eq!((found.total(), found), (7, expected));
    }
}
