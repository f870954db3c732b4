//! The hold device (`mirror-agent/src/hold_device.rs`): a slow queue, out of which everything comes
//! back.

use mirror_common::packet::tcp::{FIN, PSH};

use crate::{Host, client::Sent};

/// Time for each byte, in ns.
const PACE: u64 = 25;
/// What a shorter copy counts as, in bytes.
const LEAST: usize = 1500;
/// How many bytes go through at once. A longer copy is cut into the packets that it was.
pub(crate) const BURST: usize = 10_000;
/// Bytes of each packet that the network card has joined into a longer one.
const SEGMENT: usize = 1448;

/// How many packets `payload` was on the wire.
pub(crate) fn segments(payload: &[u8]) -> usize {
    if payload.len() <= 1460 { 1 } else { payload.len().div_ceil(SEGMENT) }
}

pub(crate) struct HoldDevice {
    /// When all is sent that it was given, were its bucket empty.
    free_at: u64,
    /// How long it takes for other connections' copies, in ns.
    busy: u64,
    /// Every so many copies it drops one; 0 for none.
    drops: usize,
    sent: usize,
}

impl HoldDevice {
    pub(crate) fn new(host: &Host) -> Self {
        Self { free_at: 0, busy: host.hold_busy, drops: host.hold_drops, sent: 0 }
    }

    /// What comes out for `sent`, and when; nothing for what is dropped.
    pub(crate) fn send(&mut self, now: u64, sent: Sent) -> Vec<(Option<u64>, Sent)> {
        cut(sent).into_iter().map(|sent| (self.leaves_at(now, sent.payload.len()), sent)).collect()
    }

    fn leaves_at(&mut self, now: u64, length: usize) -> Option<u64> {
        self.sent += 1;
        if self.drops > 0 && self.sent.is_multiple_of(self.drops) {
            return None;
        }
        self.free_at = self.free_at.max(now) + length.max(LEAST) as u64 * PACE;
        let full = BURST as u64 * PACE;
        Some(self.free_at.saturating_sub(full).max(now) + self.busy)
    }
}

fn cut(mut sent: Sent) -> Vec<Sent> {
    let mut packets = Vec::new();
    while sent.payload.len() > SEGMENT && (sent.payload.len() > BURST || !packets.is_empty()) {
        let rest = sent.payload.split_off(SEGMENT);
        // FIN and PSH belong to the last.
        packets.push(Sent { flags: sent.flags & !(FIN | PSH), ..sent.clone() });
        sent.seq = sent.seq.wrapping_add(SEGMENT as u32);
        sent.payload = rest;
    }
    packets.push(sent);
    packets
}
