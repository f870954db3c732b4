//! The synthetic client's mouth: what to do with what memcached's host sends to a mirrored client.
//!
//! Nothing passes. Some replies are turned round into the acknowledgement that a client would have
//! sent. Most need none: the next copy of the flow carries it. A reply that is not acknowledged by
//! then is sent again by the server's own timer, and then it is.

use crate::abi::{CopySide, Flow, ReplySide, State};
use crate::packet::tcp::{ACK, FIN, RST, SYN, after};

/// A reply of at most this many bytes waits for the next copy to acknowledge it. Longer ones may be
/// part of a transfer that stands still without acknowledgements.
const LAZY_REPLY: u32 = 1000;
/// And only as long as no more than this is unacknowledged.
const LAZY_TOTAL: u32 = 4000;

/// A keepalive probe is answered only if a copy arrived within this time, in ns. Production's own
/// probes (every two hours by default) make a living client heard; for one that vanished, the
/// synthetic client's silence lets the server's keepalive end the connection, as it does on the old host.
const PROBE_LIMIT: u64 = 3 * 3600 * 1_000_000_000;

/// A TCP segment from memcached's host, numbers in host order.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Flags.
    pub flags: u8,
    /// Window field, unscaled.
    pub window: u16,
    /// Bytes of payload.
    pub length: u32,
    /// Window scale option; of a SYN-ACK only, otherwise 0.
    pub scale: u32,
}

/// What to do with a reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// It is a direct client's: do not touch it.
    Pass,
    /// Drop it; its acknowledgement is on its way otherwise.
    DropData,
    /// Drop it: there is nothing to acknowledge.
    DropAck,
    /// Drop it and forget the flow: both sides are done. Their ends crossed, and were judged on two CPUs at once, of which
    /// neither saw the other's.
    DropLast,
    /// Drop it and forget the flow: the server has reset the connection.
    DropReset,
    /// Turn it round into an acknowledgement.
    Reflect,
    /// The same, and forget the flow: both sides are done.
    ReflectLast,
}

/// What to do with a reply, and the numbers of the acknowledgement that is made of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// What to do.
    pub action: Action,
    /// Sequence number of the acknowledgement.
    pub seq: u32,
    /// What it acknowledges.
    pub ack: u32,
}

impl Verdict {
    #[inline(always)]
    const fn of(action: Action) -> Self {
        Self { action, seq: 0, ack: 0 }
    }
}

/// Whether a client's reset with the sequence number `seq` answers what memcached's host sent it for this flow: it has the
/// number that the answer acknowledged (RFC 9293, 3.10.7.1).
#[inline(always)]
pub fn is_refused(flow: &Flow, seq: u32) -> bool {
    let opened = flow.copy.isn.wrapping_add(1);
    let (taken, given) = match flow.reply.has(ReplySide::BIT_SYN_ACK) {
        true => (flow.reply.rcv_nxt, flow.copy.next_seq),
        false => (opened, opened),
    };
    flow.copy.state == State::SYNCED && !after(taken, seq) && !after(seq, given)
}

/// Decides about `reply` of `flow`, which it brings up to date. `now` gives the time in ns; few replies
/// need it.
#[inline(always)]
pub fn judge(flow: &mut Flow, reply: &Reply, now: impl FnOnce() -> u64) -> Verdict {
    if flow.copy.state == State::DIRECT {
        return Verdict::of(Action::Pass);
    }
    if reply.flags & RST != 0 {
        // The answer to a segment that found no socket: it came behind a reset of the synthetic client's own (RFC 9293, 3.5.2).
        let stray = reply.flags & ACK == 0
            && !(flow.copy.state == State::SYNCED && flow.reply.has(ReplySide::BIT_SYN_ACK));
        return Verdict::of(if stray { Action::DropAck } else { Action::DropReset });
    }
    let side = &mut flow.reply;
    let (syn, fin) = (reply.flags & SYN != 0, reply.flags & FIN != 0);
    let end = reply
        .seq
        .wrapping_add(reply.length)
        .wrapping_add(u32::from(syn))
        .wrapping_add(u32::from(fin));
    let answered = side.has(ReplySide::BIT_SYN_ACK);
    if syn && reply.flags & ACK != 0 && (answered || reply.ack == flow.copy.isn.wrapping_add(1)) {
        if !answered {
            side.scale = if reply.scale > 14 { 14 } else { reply.scale };
            side.snd_nxt = end;
            side.rcv_nxt = reply.ack;
            // The window of a SYN is never scaled (RFC 7323, 2.2).
            side.edge = reply.ack.wrapping_add(u32::from(reply.window));
            // Last: ingress reads the rest once this is set.
            side.bits = ReplySide::BIT_SYN_ACK;
        }
        return reflect(flow, reply, false);
    }
    if !answered {
        // Of a socket that an earlier mirror, or an earlier use of the 4-tuple, left behind. What it
        // acknowledges is where a reset ends it.
        side.rcv_nxt = reply.ack;
        return Verdict::of(Action::DropAck);
    }
    let fresh = after(end, side.snd_nxt);
    if fresh {
        side.snd_nxt = end;
    }
    if after(reply.ack, side.rcv_nxt) {
        side.rcv_nxt = reply.ack;
    }
    let edge = reply.ack.wrapping_add(u32::from(reply.window) << (side.scale & 15));
    if after(edge, side.edge) {
        side.edge = edge;
    }
    if fin {
        side.bits |= ReplySide::BIT_FIN;
        let last = flow.copy.has(CopySide::BIT_FIN);
        return reflect(flow, reply, last);
    }
    if reply.length == 0 {
        let closed = side.has(ReplySide::BIT_FIN) && flow.copy.has(CopySide::BIT_FIN);
        if closed && !after(flow.copy.next_seq, reply.ack) {
            return Verdict::of(Action::DropLast);
        }
        // A keepalive probe asks for an answer by a sequence number before the next.
        let probe = after(side.snd_nxt, reply.seq);
        return if probe && now().saturating_sub(flow.copy.seen_at) <= PROBE_LIMIT {
            reflect(flow, reply, false)
        } else {
            Verdict::of(Action::DropAck)
        };
    }
    let owed = side.snd_nxt.wrapping_sub(flow.acked);
    if fresh && reply.length <= LAZY_REPLY && owed <= LAZY_TOTAL {
        return Verdict::of(Action::DropData);
    }
    reflect(flow, reply, false)
}

#[inline(always)]
fn reflect(flow: &mut Flow, reply: &Reply, last: bool) -> Verdict {
    flow.acked = flow.reply.snd_nxt;
    let action = if last { Action::ReflectLast } else { Action::Reflect };
    Verdict { action, seq: reply.ack, ack: flow.reply.snd_nxt }
}

#[cfg(test)]
mod tests;
