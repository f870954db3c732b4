//! The puppet client's ear: what to do with a copy of what a real client sent.
//!
//! A flow is `WATCH`ed until a request boundary is proven, then `OPEN`: what the client sends is given
//! to a socket of memcached's, with acknowledgements that fit what memcached really replied. A copy
//! that the socket could not take yet is held; a flow whose stream has a hole, or that waited for too
//! long, is watched again.
//!
//! **A proven boundary.** A segment begins a request if it looks like one, directly follows a segment
//! that was seen, and acknowledges more than that segment did: the server spoke after all that
//! went before, and memcached speaks at the end of a request, not in the middle of one. Text requests
//! must also have been preceded by CR LF. So the first segment seen of an old connection is never
//! given to memcached; it is what the second is judged by.
//!
//! The proof trusts that the client waits for each reply, and that the server is silent until it has
//! read the whole request. A client that pipelines, and a server that refuses a value before it has
//! read it, can be misread where a segment of the value begins like a request, behind CR LF, just
//! when an acknowledgement advances. Connections that are followed from their SYN need no proof.

use crate::abi::{CopySide, Flow, ReplySide};
use crate::memcache::Start;
use crate::tcp::{ACK, FIN, NO_MORE, RST, SYN, after};

/// How long a segment waits for one that is missing before it, in ns: reordering, not loss. Longer if
/// the missing one may be in the hold device.
pub const GAP_LIMIT: u64 = 100_000_000;
/// How long a segment waits for a SYN-ACK or for the receive window, in ns.
pub const WAIT_LIMIT: u64 = 1_000_000_000;
/// Held copies that did not come back for so long are lost, in ns.
const LOST_LIMIT: u64 = 2 * WAIT_LIMIT;
/// A server acknowledges what it took no later than this, in ns (RFC 1122, 4.2.3.2).
const ACK_DELAY: u64 = 500_000_000;

/// A flow that had no copy for so long may make room for another, in ns.
const IDLE_LIMIT: u64 = 10_000_000_000;
/// What arrives again sooner than this is a copy of the copy, in ns. Later, the stack may have dropped
/// the first: no client sends again sooner (RFC 6298), and no server waits longer to acknowledge
/// (kernel: `TCP_ATO_MIN`) unless it has a reason.
const REPEAT_LIMIT: u64 = 40_000_000;

/// An unsealed copy of a TCP segment, numbers in host order.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Sequence number of the first byte (of the SYN, when there is one).
    pub seq: u32,
    /// What the client acknowledged to production.
    pub ack: u32,
    /// SYN, ACK, FIN, RST, PSH.
    pub flags: u8,
    /// Bytes of payload.
    pub length: u32,
    /// How many segments on the wire it stands for (GSO).
    pub segments: u32,
    /// What the payload begins like. Need not be known unless [`wants_evidence`].
    pub start: Start,
    /// Whether the payload ends in CR LF. The same.
    pub crlf: bool,
}

impl Segment {
    #[inline(always)]
    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether the client sends no more behind it.
    #[inline(always)]
    fn ends(&self) -> bool {
        self.has(FIN) || self.has(RST)
    }

    /// Sequence number after the payload, and after the FIN that it has or a reset becomes.
    #[inline(always)]
    fn end(&self) -> u32 {
        self.seq.wrapping_add(self.length).wrapping_add(u32::from(self.ends()))
    }
}

/// How a copy came here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pass {
    /// From the wire.
    First,
    /// From this interface, behind a segment that was made for it.
    Again,
    /// From the hold device.
    Held,
}

/// Why a copy is not given to memcached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Discard {
    /// No boundary is proven yet.
    Unproven,
    /// Nothing in it for memcached.
    PureAck,
    /// Delivered before.
    Duplicate,
    /// A real client owns the 4-tuple.
    RealClient,
    /// The end of a connection that was never opened here.
    NoFlow,
    /// Waited for too long.
    HoldExpired,
}

/// What to do with a copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Give it to the stack as a SYN, without the options that the puppet cannot honour.
    PassSyn,
    /// Give it to the stack, acknowledging [`Verdict::number`]; a reset as a FIN.
    Deliver,
    /// The same, and forget the flow: both sides are done.
    DeliverLast,
    /// Give it to the stack as a reset at [`Verdict::number`], and forget the flow.
    Abort,
    /// Queue it for another pass, and before that open the connection with a SYN one before it.
    Adopt,
    /// Queue it for another pass, and before that reset the puppet's socket at [`Verdict::number`].
    ResetFirst,
    /// Let it wait in the hold device.
    Hold,
    /// Drop it for [`Verdict::reason`].
    Discard,
    /// Drop it for [`Verdict::reason`] and forget the flow.
    Forget,
}

/// What to do with a copy, and with which number. Every field is always set: the verifier does not
/// let a program move memory that nobody wrote, as the payload of an enum may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// What to do.
    pub action: Action,
    /// The acknowledgement number of a delivery; the sequence number of a reset.
    pub number: u32,
    /// Why it is dropped; of no meaning where it is not.
    pub reason: Discard,
}

impl Verdict {
    #[inline(always)]
    const fn of(action: Action, number: u32) -> Self {
        Self { action, number, reason: Discard::Unproven }
    }

    #[inline(always)]
    const fn discard(reason: Discard) -> Self {
        Self { action: Action::Discard, number: 0, reason }
    }
}

/// Whether [`judge`] looks at [`Segment::start`] and [`Segment::crlf`] in this state.
#[inline(always)]
pub fn wants_evidence(copy: &CopySide) -> bool {
    copy.state == CopySide::STATE_WATCH
}

/// Decides about `segment` of `flow`, which it brings up to date; `now` in ns.
#[inline(always)]
pub fn judge(flow: &mut Flow, segment: &Segment, pass: Pass, now: u64) -> Verdict {
    flow.copy.seen_at = now;
    match pass {
        Pass::Held => {
            flow.copy.returned_at = now;
            flow.copy.gap_round = flow.copy.gap_round.saturating_sub(segment.segments);
        }
        Pass::First if flow.held() > 0 && lost_in_hold(&flow.copy, now) => give_up_held(flow),
        Pass::First | Pass::Again => {}
    }
    let verdict = match flow.copy.state {
        CopySide::STATE_WATCH | CopySide::STATE_OPEN if segment.flags & NO_MORE == NO_MORE => {
            end_now(flow, Discard::NoFlow, now)
        }
        CopySide::STATE_WATCH => watch(flow, segment, pass, now),
        CopySide::STATE_OPEN => open(flow, segment, pass, now),
        _ => Verdict::discard(Discard::RealClient),
    };
    let holds = verdict.action == Action::Hold;
    if holds && pass != Pass::Held {
        flow.held_in = flow.held_in.wrapping_add(segment.segments);
    } else if !holds && pass == Pass::Held && flow.held() > 0 {
        flow.held_out = flow.held_out.wrapping_add(segment.segments);
    }
    verdict
}

/// No connection that could be fed: look for a SYN or a boundary.
#[inline(always)]
fn watch(flow: &mut Flow, segment: &Segment, pass: Pass, now: u64) -> Verdict {
    if pass == Pass::First && flow.held() > 0 {
        return hold(flow, now);
    }
    let leftover = flow.copy.has(CopySide::BIT_SOCKET);
    if segment.has(SYN) {
        return if segment.has(ACK) {
            Verdict::discard(Discard::NoFlow)
        } else if leftover {
            reset_first(flow, pass, now)
        } else {
            begin(flow, segment.seq, now);
            Verdict::of(Action::PassSyn, 0)
        };
    }
    if segment.has(RST) || segment.has(FIN) && segment.length == 0 {
        return end_now(flow, Discard::NoFlow, now);
    }
    if segment.length == 0 {
        return Verdict::discard(Discard::PureAck);
    }
    if boundary(&flow.copy, segment) {
        if leftover {
            return reset_first(flow, pass, now);
        }
        begin(flow, segment.seq.wrapping_sub(1), now);
        return Verdict::of(Action::Adopt, 0);
    }
    if segment.has(FIN) {
        return end_now(flow, Discard::Unproven, now);
    }
    let copy = &mut flow.copy;
    if !copy.has(CopySide::BIT_WATCHED) || after(segment.end(), copy.watch_end) {
        copy.watch_end = segment.end();
        copy.watch_ack = segment.ack;
        copy.put(CopySide::BIT_WATCHED, true);
        copy.put(CopySide::BIT_CRLF, segment.crlf);
    }
    Verdict::discard(Discard::Unproven)
}

/// A connection that is not fed, or will not be, ends: resets the puppet's socket, if there is one.
#[inline(always)]
fn end_now(flow: &Flow, reason: Discard, now: u64) -> Verdict {
    if has_socket(flow) {
        Verdict::of(Action::Abort, reset_at(flow, now))
    } else {
        Verdict { action: Action::Forget, number: 0, reason }
    }
}

/// Whether `segment` begins a request; see the head of this file.
#[inline(always)]
fn boundary(copy: &CopySide, segment: &Segment) -> bool {
    copy.has(CopySide::BIT_WATCHED)
        && segment.seq == copy.watch_end
        && after(segment.ack, copy.watch_ack)
        && match segment.start {
            Start::Text => copy.has(CopySide::BIT_CRLF),
            Start::Binary => true,
            Start::None => false,
        }
}

/// The SYN was given to the kernel: feed the connection.
#[inline(always)]
fn open(flow: &mut Flow, segment: &Segment, pass: Pass, now: u64) -> Verdict {
    let answered = flow.reply.has(ReplySide::BIT_SYN_ACK);
    let repeated = now.saturating_sub(flow.copy.stalled_at) <= REPEAT_LIMIT;
    if segment.has(SYN) {
        if segment.seq != flow.copy.isn {
            // The client uses the 4-tuple again.
            return reset_first(flow, pass, now);
        }
        return if answered || repeated {
            Verdict::discard(Discard::Duplicate)
        } else {
            Verdict::of(Action::PassSyn, 0)
        };
    }
    if segment.has(RST) && !after(segment.seq, flow.copy.next_seq) {
        if flow.copy.has(CopySide::BIT_FIN) {
            // Of a client that closed before it had every reply. The FIN did what there is to do.
            return Verdict::discard(Discard::Duplicate);
        }
        // A reset would take from memcached what it has yet to read, and production's has read. So it
        // becomes a FIN where that fits, and waits for room as any.
        let fits = answered && segment.seq == flow.copy.next_seq && segment.length == 0;
        if !fits || flow.reply.has(ReplySide::BIT_FIN) {
            return Verdict::of(Action::Abort, reset_at(flow, now));
        }
    }
    // A reset that is early waits for what the client sent before, as everything does.
    let empty = segment.length == 0 && !segment.ends();
    if !answered {
        // The puppet completes the handshake itself, when the SYN-ACK comes.
        return if empty {
            Verdict::discard(Discard::PureAck)
        } else {
            hold_or_break(flow, segment, pass, now)
        };
    }
    if empty {
        // Welcome only where it carries an acknowledgement that the puppet owes.
        let owed = flow.acked != flow.reply.snd_nxt && segment.seq == flow.copy.next_seq;
        return if owed && flow.held() == 0 {
            deliver(flow, false)
        } else {
            Verdict::discard(Discard::PureAck)
        };
    }
    let end = segment.end();
    if !after(end, flow.copy.next_seq) {
        // A retransmission; the socket may have had no room for the first.
        return if after(end, flow.reply.rcv_nxt) && !repeated && flow.held() == 0 {
            deliver(flow, false)
        } else {
            Verdict::discard(Discard::Duplicate)
        };
    }
    if pass == Pass::First && flow.held() > 0 {
        return hold(flow, now);
    }
    if after(end, flow.reply.edge) {
        flow.copy.gap_at = 0;
        return hold_or_break(flow, segment, pass, now);
    }
    if after(segment.seq, flow.copy.next_seq) {
        if flow.copy.gap_at == 0 {
            flow.copy.gap_at = now;
            flow.copy.gap_round = flow.held();
        }
        return hold_or_break(flow, segment, pass, now);
    }
    flow.copy.next_seq = end;
    flow.copy.stalled_at = now;
    flow.copy.gap_at = 0;
    if segment.ends() {
        flow.copy.put(CopySide::BIT_FIN, true);
    }
    let last = segment.ends() && flow.reply.has(ReplySide::BIT_FIN);
    deliver(flow, last)
}

#[inline(always)]
fn deliver(flow: &mut Flow, last: bool) -> Verdict {
    flow.acked = flow.reply.snd_nxt;
    Verdict::of(if last { Action::DeliverLast } else { Action::Deliver }, flow.acked)
}

/// A connection begins: `isn` is the sequence number of its SYN.
#[inline(always)]
fn begin(flow: &mut Flow, isn: u32, now: u64) {
    // Field by field: a whole struct would become a loop over bytes.
    flow.reply.bits = 0;
    flow.reply.snd_nxt = 0;
    flow.reply.rcv_nxt = isn.wrapping_add(1);
    flow.reply.edge = 0;
    flow.reply.scale = 0;
    flow.acked = 0;
    flow.copy.state = CopySide::STATE_OPEN;
    flow.copy.bits = 0;
    flow.copy.isn = isn;
    flow.copy.next_seq = isn.wrapping_add(1);
    flow.copy.stalled_at = now;
    flow.copy.gap_at = 0;
}

/// The puppet's socket has to go before what `segment` brings can begin.
#[inline(always)]
fn reset_first(flow: &mut Flow, pass: Pass, now: u64) -> Verdict {
    let seq = reset_at(flow, now);
    flow.copy.state = CopySide::STATE_WATCH;
    flow.copy.put(CopySide::BIT_SOCKET, false);
    // What waits behind a copy that came back follows it, and is needed.
    if pass == Pass::First {
        give_up_held(flow);
    }
    Verdict::of(Action::ResetFirst, seq)
}

/// Whether a socket of memcached's may belong to the flow.
#[inline(always)]
pub fn has_socket(flow: &Flow) -> bool {
    flow.copy.state == CopySide::STATE_OPEN || flow.copy.has(CopySide::BIT_SOCKET)
}

/// Whether the flow may make room for another at `now`, in ns.
#[inline(always)]
pub fn is_idle(copy: &CopySide, now: u64) -> bool {
    now.saturating_sub(copy.seen_at) > IDLE_LIMIT
}

/// Where the server accepts a reset: exactly at what it expects next (RFC 5961, 3.2). It may not have
/// acknowledged yet what was delivered a moment ago; after a while, what it acknowledged is the truth.
#[inline(always)]
pub fn reset_at(flow: &Flow, now: u64) -> u32 {
    let answered = flow.reply.has(ReplySide::BIT_SYN_ACK);
    if answered && now.saturating_sub(flow.copy.stalled_at) <= ACK_DELAY {
        flow.copy.next_seq
    } else {
        flow.reply.rcv_nxt
    }
}

#[inline(always)]
fn hold(flow: &mut Flow, now: u64) -> Verdict {
    if flow.held() == 0 {
        flow.copy.stalled_at = now;
        flow.copy.returned_at = now;
    }
    Verdict::of(Action::Hold, 0)
}

/// Holds `segment`, or gives the connection up when it stands still for too long.
#[inline(always)]
fn hold_or_break(flow: &mut Flow, segment: &Segment, pass: Pass, now: u64) -> Verdict {
    let gap = flow.copy.gap_at;
    let patient = now.saturating_sub(flow.copy.stalled_at) <= WAIT_LIMIT
        && (gap == 0 || flow.copy.gap_round > 0 || now.saturating_sub(gap) <= GAP_LIMIT);
    if flow.held() == 0 || pass == Pass::Again || patient {
        return hold(flow, now);
    }
    let copy = &mut flow.copy;
    copy.state = CopySide::STATE_WATCH;
    // The next boundary has to be behind `segment`, which is dropped.
    copy.bits = CopySide::BIT_SOCKET | CopySide::BIT_WATCHED;
    copy.watch_end = segment.end();
    copy.watch_ack = segment.ack;
    if segment.ends() {
        return Verdict::of(Action::Abort, reset_at(flow, now));
    }
    Verdict::discard(Discard::HoldExpired)
}

/// Whether what is held did not move for so long that it must have been dropped on the way.
#[inline(always)]
fn lost_in_hold(copy: &CopySide, now: u64) -> bool {
    now.saturating_sub(copy.returned_at) > LOST_LIMIT
}

/// Forgets what is held: it is stale when it comes back.
#[inline(always)]
fn give_up_held(flow: &mut Flow) {
    flow.copy.epoch = flow.copy.epoch.wrapping_add(1);
    flow.held_out = flow.held_in;
}

#[cfg(test)]
mod tests;
