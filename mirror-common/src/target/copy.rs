//! The synthetic client's ear: what to do with a copy of what a client sent to production.
//!
//! A SYN opens nothing ([`super::noted_syn`]): the first data behind it does, whose place in the stream is known.
//!
//! A flow is *unsynchronised* until a request boundary is known, then *synchronised*: what the client sends is given
//! to a socket of memcached's, with acknowledgements that fit what memcached really replied. A copy
//! that the socket could not take yet is held; a flow whose stream has a gap, or that waited for too
//! long, is unsynchronised again.
//!
//! **Behind a segment that is missing** the inside of a request goes to TCP all the same, which keeps it in order
//! and gives memcached none of it before the missing one is there; if that does not come, the reset of the socket
//! takes it away. What begins a request is held: should the missing segment not come, the flow can be adopted there.
//!
//! **A proven boundary.** A segment begins a request if it looks like one, directly follows segments
//! that were seen to be whole requests (a [`RequestState`]), and acknowledges more than they did: the server
//! spoke after all that went before, and memcached speaks at the end of a request, not in the middle of
//! one. So the first request seen of an old connection is never given to memcached; it is what the second
//! is judged by.
//!
//! Where the request parser lost its way, the same has to happen three times in a row, but for the parser.
//!
//! The proof trusts that a client waits for a reply now and then, and that the first segment seen, if it
//! looks like a request, is one. A client that pipelines can be misread where a segment of a value
//! begins like a request, is seen first, consists of whole requests, and is followed by another such
//! just when an acknowledgement advances. Connections that are followed from their SYN need no proof.
//!
//! A copy for a synchronised flow meets these cases, in this order (`synced`): the next connection of the same ends; a
//! reset; a server that has not answered; nothing in it; a retransmission; another connection; a server that
//! acknowledges nothing; a gap before it; a blocked command; no room in the window; delivery.
//!
//! Long because: one state machine, in which the order of the cases is the knowledge.

use crate::abi::{CopySide, Evidence, Flow, Gap, ReplySide, RequestState, State, since, ticks};
use crate::memcached::request_start::Start;
use crate::packet::tcp::{FIN, NO_MORE, RST, after, late};

/// How long a segment waits for one that is missing before it, in ns: reordering, not loss. Longer if
/// the missing one may be in the hold device.
pub const GAP_LIMIT: u64 = 20_000_000;
/// The same for the inside of a request. It waits at no cost in TCP's queue, and a busy processor may be that late
/// with what is missing.
const AHEAD_LIMIT: u64 = 200_000_000;
/// No segment but a request's last is shorter, in bytes: what any path has to carry (RFC 9293, 3.7.1).
const LEAST_SEGMENT: u32 = 536;
/// So many replies that the client got meanwhile end the wait sooner: where requests are that frequent, what
/// waits would soon be more than the hold device can carry.
const REPLIES_LIMIT: u16 = 4;
/// So many segments that wait are put in order after a break. It takes each of them a round for each other,
/// and the hold device is everybody's.
const ORDER_LIMIT: u32 = 24;
/// How long a flow may stand still while copies wait for a SYN-ACK, for the receive window, or for a missing one, in
/// ns.
pub const WAIT_LIMIT: u64 = 1_000_000_000;
/// How long a copy waits at most, in ns, though its flow moves on: a new host that is slower than the old one for so
/// long does not catch up.
pub const COPY_LIMIT: u64 = 2 * WAIT_LIMIT;
/// Held copies that did not come back for so long are lost, in ns.
const LOST_LIMIT: u64 = 2 * WAIT_LIMIT;
/// A server acknowledges what it took no later than this, in ns (RFC 1122, 4.2.3.2).
const ACK_DELAY: u64 = 500_000_000;

/// A SYN that was not answered for so long is sent again, in ns: the server's queue of connections was full, or the kernel
/// had no memory for it.
const SYN_REPEAT: u64 = 200_000_000;
/// A flow that had no copy for so long may make room for another, in ns.
const IDLE_LIMIT: u64 = 10_000_000_000;
/// What arrives again sooner than this is a copy of the copy, in ns. Later, the stack may have dropped
/// the first: no client sends again sooner (RFC 6298), and no server waits longer to acknowledge
/// (kernel: `TCP_ATO_MIN`) unless it has a reason.
const REPEAT_LIMIT: u64 = 40_000_000;

/// So many segments have to begin like a request, each just when an acknowledgement advances, to be
/// believed without a [`RequestState`].
const REQUEST_STARTS: u16 = 3;
/// So many to no longer believe a walk that says that they are within a value.
const CONTRADICTIONS: u16 = 3;

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
    /// For how long it has waited in the hold device, in ns; 0 for one that was not there.
    pub waited: u64,
    /// Whether it looks like a command that memcached is not to be given.
    pub blocked: bool,
    /// Whether it has data behind a SYN that was noted, of a connection that was not opened yet. Need not be known
    /// unless [`wants_noted`].
    pub noted: bool,
    /// The sequence number of that SYN.
    pub isn: u32,
    /// What the payload begins like. Need not be known unless [`wants_start`].
    pub start: Start,
    /// Whether the payload ends in CR LF. Need not be known unless [`wants_evidence`].
    pub crlf: bool,
    /// Where the stream is at the end of the payload, if at its beginning it was where [`request_state_from`]
    /// says. The same.
    pub request_state: RequestState,
}

impl Segment {
    #[inline(always)]
    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether the client sends no more behind it.
    #[inline(always)]
    fn closes(&self) -> bool {
        self.has(FIN) || self.has(RST)
    }

    /// Sequence number after the payload, and after the FIN that it has or a reset becomes.
    #[inline(always)]
    fn end_seq(&self) -> u32 {
        self.seq.wrapping_add(self.length).wrapping_add(u32::from(self.closes()))
    }
}

/// How a copy came here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pass {
    /// From the wire.
    First,
    /// From this interface, behind a segment that was made for it.
    Requeued,
    /// From the hold device.
    Held,
}

/// Why a copy is not given to memcached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Discard {
    /// No boundary is proven yet, or it lies before the one that was.
    Unsynced,
    /// Nothing in it for memcached.
    PureAck,
    /// Delivered before.
    Duplicate,
    /// A direct client owns the 4-tuple.
    DirectClient,
    /// The end of a connection that was never opened here.
    NoFlow,
    /// Waited for too long.
    HoldExpired,
    /// A command that is blocked.
    Blocked,
    /// The server's host has not answered the SYN.
    Unanswered,
}

/// What to do with a copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Queue it for another pass, and before that open the connection with a SYN of the number [`Verdict::number`]: its
    /// client's, which was noted.
    Open,
    /// The same once more, as there is no answer.
    OpenAgain,
    /// As [`Action::Open`], with a SYN one before the copy: it begins a request for certain.
    Adopt,
    /// Give it to the stack, acknowledging [`Verdict::number`]; a reset as a FIN.
    Deliver,
    /// The same, and forget the flow: both sides are done.
    DeliverLast,
    /// Give it to the stack as a reset at [`Verdict::number`], and forget the flow.
    Abort,
    /// Queue it for another pass, behind what is queued already.
    Requeue,
    /// Queue it for another pass, and before that reset the synthetic client's socket at [`Verdict::number`].
    ResetFirst,
    /// Let it wait in the hold device.
    Hold,
    /// Drop it for [`Verdict::reason`].
    Discard,
    /// Drop it for [`Verdict::reason`] and forget the flow.
    Forget,
    /// The same, and reset the synthetic client's socket at [`Verdict::number`].
    ForgetSocket,
}

/// What to do with a copy, and with which number. Every field is always set: the verifier does not
/// let a program move memory that nobody wrote, as the payload of an enum may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// What to do.
    pub action: Action,
    /// The acknowledgement number of a delivery; the sequence number of a SYN or reset.
    pub number: u32,
    /// Why it is dropped; of no meaning where it is not.
    pub reason: Discard,
}

impl Verdict {
    #[inline(always)]
    const fn of(action: Action, number: u32) -> Self {
        Self { action, number, reason: Discard::Unsynced }
    }

    #[inline(always)]
    const fn discard(reason: Discard) -> Self {
        Self { action: Action::Discard, number: 0, reason }
    }
}

/// Whether [`judge`] looks at [`Segment::noted`].
#[inline(always)]
pub fn wants_noted(copy: &CopySide) -> bool {
    copy.state != State::SYNCED || copy.syn_waits != 0
}

/// Whether [`judge`] looks at [`Segment::start`].
#[inline(always)]
pub fn wants_start(copy: &CopySide, segment: &Segment, pass: Pass) -> bool {
    wants_evidence(copy, segment, pass)
        || copy.state == State::SYNCED && after(segment.seq, copy.next_seq)
}

/// Whether [`judge`] looks at [`Segment::crlf`] and [`Segment::request_state`], too.
#[inline(always)]
pub fn wants_evidence(copy: &CopySide, segment: &Segment, pass: Pass) -> bool {
    // A segment that waited, or is another connection's, may be the first that is watched.
    copy.state == State::UNSYNCED
        || copy.state == State::SYNCED
            && (segment.blocked
                || pass == Pass::Held && copy.gap_at != 0
                || far_back(segment.end_seq(), copy.next_seq))
}

/// Whether a segment that ends at `end` lies so far before `next_seq` that it is another connection's.
#[inline(always)]
fn far_back(end: u32, next_seq: u32) -> bool {
    !after(end, next_seq) && !late(end, next_seq)
}

/// Where the stream is at the beginning of a segment: where what was watched before ends, or at a
/// boundary, if it is one at all.
#[inline(always)]
pub fn request_state_from(copy: &CopySide, segment: &Segment) -> RequestState {
    if !follows(copy, segment.seq) || copy.request_state.is_lost() {
        return RequestState::BOUNDARY;
    }
    let mut walk = copy.request_state;
    if after(segment.ack, copy.last_ack) {
        walk.acknowledge(segment.ack.wrapping_sub(copy.last_ack));
    }
    walk
}

/// Whether what is at `seq` directly follows what was watched.
#[inline(always)]
fn follows(copy: &CopySide, seq: u32) -> bool {
    copy.state == State::UNSYNCED && copy.has(CopySide::BIT_LAST) && copy.last_end == seq
}

/// Decides about `segment` of `flow`, which it brings up to date; `now` in ns.
#[inline(always)]
pub fn judge(flow: &mut Flow, segment: &Segment, pass: Pass, now: u64) -> Verdict {
    flow.copy.seen_at = now;
    match pass {
        Pass::Held => {
            flow.copy.released_at = now;
            flow.copy.gap_round = flow.copy.gap_round.saturating_sub(segment.segments);
        }
        Pass::First if flow.held() > 0 && lost_in_hold(&flow.copy, now) => give_up_held(flow),
        Pass::First | Pass::Requeued => {}
    }
    catch_up(flow, now);
    let verdict = match flow.copy.state {
        State::UNSYNCED | State::SYNCED if segment.flags & NO_MORE == NO_MORE => {
            end_now(flow, Discard::NoFlow, now)
        }
        State::UNSYNCED => unsynced(flow, segment, pass, now),
        State::SYNCED => synced(flow, segment, pass, now),
        _ => Verdict::discard(Discard::DirectClient),
    };
    let holds = verdict.action == Action::Hold;
    if holds && pass != Pass::Held {
        flow.held_in = flow.held_in.wrapping_add(segment.segments);
    } else if !holds && pass == Pass::Held && flow.held() > 0 {
        flow.held_out = flow.held_out.wrapping_add(segment.segments);
    }
    verdict
}

/// What the server acknowledges is in its place: what TCP had ahead of a missing segment, too.
#[inline(always)]
fn catch_up(flow: &mut Flow, now: u64) {
    if flow.copy.state != State::SYNCED || !flow.reply.has(ReplySide::BIT_SYN_ACK) {
        return;
    }
    let (copy, taken) = (&mut flow.copy, flow.reply.rcv_nxt);
    if copy.acked_seq != taken || copy.next_seq == taken {
        copy.acked_seq = taken;
        copy.acked_at = ticks(now);
    }
    if after(taken, copy.next_seq) {
        copy.next_seq = taken;
        copy.stalled_at = now;
        copy.gap_at = 0;
        fill(copy, now);
    }
}

/// The stream is whole up to `next_seq`, and a moment ago it was not.
#[inline(always)]
fn fill(copy: &mut CopySide, now: u64) {
    if copy.ahead == 0 {
        return;
    }
    copy.ahead_at = ticks(now);
    if after(copy.ahead_end, copy.next_seq) {
        // No more than there can be between the two.
        let most = copy.ahead_end.wrapping_sub(copy.next_seq) / LEAST_SEGMENT + 1;
        copy.ahead = copy.ahead.min(most);
    } else {
        copy.ahead = 0;
    }
}

/// Whether the server does not have what it was given: something behind this program dropped it.
#[inline(always)]
fn is_lost_behind(copy: &CopySide, now: u64) -> bool {
    after(copy.next_seq, copy.acked_seq) && since(copy.acked_at, now) > WAIT_LIMIT
}

/// Segments that TCP has ahead of one that is missing: they are lost where the connection ends now.
#[inline(always)]
pub fn withdrawn(flow: &Flow) -> u32 {
    let copy = &flow.copy;
    if copy.ahead > 0 && after(copy.ahead_end, flow.reply.rcv_nxt) { copy.ahead } else { 0 }
}

/// No connection that could be fed: look for a SYN or a boundary.
#[inline(always)]
fn unsynced(flow: &mut Flow, segment: &Segment, pass: Pass, now: u64) -> Verdict {
    let queued = flow.copy.has(CopySide::BIT_QUEUED);
    if pass == Pass::First && (flow.held() > 0 || queued) {
        // Behind what waited when the connection was given up. All of that is back when the longest wait is over.
        if queued || since(flow.copy.desynced_at, now) <= COPY_LIMIT {
            return hold(flow, now);
        }
        give_up_held(flow);
    }
    if pass == Pass::Held && queued && now.saturating_sub(flow.copy.queued_at()) <= GAP_LIMIT {
        // What it follows is queued before it, and faster.
        return hold(flow, now);
    }
    if queued {
        flow.copy.put(CopySide::BIT_QUEUED, false);
        flow.copy.gap_at = 0;
    }
    let leftover = flow.copy.has(CopySide::BIT_SOCKET);
    if segment.noted && !segment.has(RST) {
        if leftover {
            return reset_first(flow, pass, now);
        }
        begin(flow, segment.isn, now);
        flow.copy.last_ack = segment.ack;
        return Verdict::of(Action::Open, segment.isn);
    }
    if segment.has(RST) || segment.has(FIN) && segment.length == 0 {
        return end_now(flow, Discard::NoFlow, now);
    }
    if segment.length == 0 {
        return Verdict::discard(Discard::PureAck);
    }
    if pass == Pass::Held && waits_its_turn(flow, segment, now) {
        return hold(flow, now);
    }
    if !segment.blocked && boundary(&flow.copy, segment) {
        if leftover {
            return reset_first(flow, pass, now);
        }
        let isn = segment.seq.wrapping_sub(1);
        begin(flow, isn, now);
        flow.copy.put(CopySide::BIT_ADOPTED, true);
        return Verdict::of(Action::Adopt, isn);
    }
    let reason = if segment.blocked { Discard::Blocked } else { Discard::Unsynced };
    if segment.has(FIN) {
        return end_now(flow, reason, now);
    }
    let copy = &mut flow.copy;
    let first = !copy.has(CopySide::BIT_LAST);
    if first || !late(segment.end_seq(), copy.last_end) {
        let advanced = first || may_advance(copy, segment, copy.last_end);
        record(copy, segment, advanced);
    }
    Verdict::discard(reason)
}

/// Whether `segment`, which came back, lies behind one that may be in the hold device still: nothing comes
/// back in order. Each was seen once before the first of them goes on without what is missing.
#[inline(always)]
fn waits_its_turn(flow: &mut Flow, segment: &Segment, now: u64) -> bool {
    let held = flow.held();
    let copy = &mut flow.copy;
    if !copy.has(CopySide::BIT_LAST) || segment.seq == copy.last_end {
        copy.gap_at = 0;
        return false;
    }
    let ahead = after(segment.seq, copy.last_end) && late(copy.last_end, segment.seq);
    if !ahead || held > ORDER_LIMIT || !is_patient(copy, segment, now) {
        return false;
    }
    see_gap(copy, segment.seq, held, now);
    let first = copy.gap_round == 0 && segment.seq == copy.gap_end;
    if first {
        copy.gap_at = 0;
    }
    !first
}

/// Something is missing before a segment at `seq` that came back, while so many are held.
#[inline(always)]
fn see_gap(copy: &mut CopySide, seq: u32, held: u32, now: u64) {
    if copy.gap_at == 0 {
        copy.gap_at = now;
        copy.gap_round = held;
        copy.gap_end = seq;
    } else if after(copy.gap_end, seq) {
        copy.gap_end = seq;
    }
}

/// A connection that is not fed, or will not be, ends: resets the synthetic client's socket, if there is one.
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
    looks_like_start(copy, segment)
        && if copy.request_state.is_lost() {
            copy.evidence().request_starts + 1 >= REQUEST_STARTS
        } else {
            all_replied(copy, segment)
        }
}

/// Whether what was watched ends with a request, and `segment` acknowledges the replies to all of them.
#[inline(always)]
fn all_replied(copy: &CopySide, segment: &Segment) -> bool {
    copy.request_state.at_boundary()
        && copy.request_state.owed() <= segment.ack.wrapping_sub(copy.last_ack)
}

/// Whether `segment` looks like the first of a request, as far as one segment can tell.
#[inline(always)]
fn looks_like_start(copy: &CopySide, segment: &Segment) -> bool {
    follows(copy, segment.seq)
        && after(segment.ack, copy.last_ack)
        && match segment.start {
            Start::Text => copy.has(CopySide::BIT_CRLF),
            Start::Binary => true,
            Start::None => false,
        }
}

/// Whether `segment` acknowledges more than the last that was known, which ended at `end`. Who knows, if
/// it is so far away that it must be another connection's.
#[inline(always)]
fn may_advance(copy: &CopySide, segment: &Segment, end: u32) -> bool {
    after(segment.ack, copy.last_ack) || !late(end, segment.seq)
}

/// Keeps what `segment` says of the next boundary; `advanced` is whether it acknowledges more than the
/// last before it.
#[inline(always)]
fn record(copy: &mut CopySide, segment: &Segment, advanced: bool) {
    if follows(copy, segment.seq) {
        record_next(copy, segment, advanced);
    } else {
        // Nobody knows whether it is a request: the walk that begins here is doubtful.
        copy.set_evidence(Evidence { request_starts: 0, contradictions: CONTRADICTIONS / 2 + 1 });
        copy.request_state = segment.request_state;
        // The rest of a request needs no reply to what was before.
        if !advanced || segment.start == Start::None && !segment.blocked {
            copy.request_state.lose();
        }
    }
    copy.last_end = segment.end_seq();
    copy.last_ack = segment.ack;
    copy.put(CopySide::BIT_LAST, true);
    copy.put(CopySide::BIT_CRLF, segment.crlf);
}

/// The same for a segment that follows the last.
#[inline(always)]
fn record_next(copy: &mut CopySide, segment: &Segment, advanced: bool) {
    let hint = looks_like_start(copy, segment);
    let lost = copy.request_state.is_lost();
    copy.request_state = segment.request_state;
    let mut evidence = copy.evidence();
    if advanced && !hint {
        // The server spoke where no request ends: the client does not wait.
        evidence.request_starts = 0;
    }
    if !lost {
        evidence.contradictions += u16::from(hint);
        if evidence.contradictions > CONTRADICTIONS {
            evidence.contradictions = 0;
            copy.request_state.lose();
        }
    } else if hint {
        evidence.request_starts += 1;
        evidence.contradictions = 0;
    } else {
        copy.request_state.lose();
    }
    copy.set_evidence(evidence);
}

/// The SYN was given to the kernel: the connection is given what its client sends.
#[inline(always)]
fn synced(flow: &mut Flow, segment: &Segment, pass: Pass, now: u64) -> Verdict {
    let answered = flow.reply.has(ReplySide::BIT_SYN_ACK);
    let repeated = now.saturating_sub(flow.copy.stalled_at) <= REPEAT_LIMIT;
    if segment.noted && segment.isn != flow.copy.isn {
        // The client uses the 4-tuple again.
        return reset_first(flow, pass, now);
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
    let empty = segment.length == 0 && !segment.closes();
    if !answered {
        // The synthetic client completes the handshake itself, when the SYN-ACK comes.
        return if empty {
            Verdict::discard(Discard::PureAck)
        } else {
            synced_unanswered(flow, pass, now)
        };
    }
    if empty {
        // Welcome only where it carries an acknowledgement that the synthetic client owes.
        let owed = flow.acked != flow.reply.snd_nxt && segment.seq == flow.copy.next_seq;
        return if owed && flow.held() == 0 {
            deliver(flow, false)
        } else {
            Verdict::discard(Discard::PureAck)
        };
    }
    let end = segment.end_seq();
    if late(end, flow.copy.next_seq) {
        // A retransmission; the socket may have had no room for the first.
        return if after(end, flow.reply.rcv_nxt) && !repeated && flow.held() == 0 {
            deliver(flow, false)
        } else if after(end, flow.copy.isn.wrapping_add(1)) {
            Verdict::discard(Discard::Duplicate)
        } else {
            // Before the boundary that the connection was joined at: nobody had it.
            Verdict::discard(Discard::Unsynced)
        };
    }
    if far_back(end, flow.copy.next_seq) {
        // Of the 4-tuple's next connection, whose SYN was lost.
        return give_up(flow, segment, Discard::Unsynced, now);
    }
    if is_lost_behind(&flow.copy, now) {
        return give_up(flow, segment, Discard::HoldExpired, now);
    }
    if after(segment.seq, flow.copy.next_seq) {
        return synced_behind_gap(flow, segment, pass, now);
    }
    if segment.blocked {
        // It may be part of a value: the stream cannot go on behind it.
        return give_up(flow, segment, Discard::Blocked, now);
    }
    if after(end, flow.reply.edge) {
        // What follows waits for the window, too: nothing is missing.
        flow.copy.gap_at = 0;
        return hold_or_break(flow, segment, pass, now);
    }
    flow.copy.next_seq = end;
    flow.copy.last_ack = segment.ack;
    flow.copy.stalled_at = now;
    flow.copy.gap_at = 0;
    fill(&mut flow.copy, now);
    if segment.closes() {
        flow.copy.put(CopySide::BIT_FIN, true);
    }
    let last = segment.closes() && flow.reply.has(ReplySide::BIT_FIN);
    deliver(flow, last)
}

/// The SYN was given to the kernel, and there is no SYN-ACK yet.
#[inline(always)]
fn synced_unanswered(flow: &mut Flow, pass: Pass, now: u64) -> Verdict {
    if pass != Pass::Held {
        return hold(flow, now);
    }
    if since(flow.copy.opened_at(), now) > WAIT_LIMIT {
        // Before the kernel sends its SYN-ACK again, who knows where to (kernel: `TCP_TIMEOUT_INIT`).
        return Verdict {
            action: Action::ForgetSocket,
            number: flow.reply.rcv_nxt,
            reason: Discard::Unanswered,
        };
    }
    if since(flow.copy.syn_at(), now) > SYN_REPEAT {
        flow.copy.set_syn_at(now, true);
        return Verdict::of(Action::OpenAgain, flow.copy.isn);
    }
    hold(flow, now)
}

/// The connection is fed, and something is missing before `segment`.
#[inline(always)]
fn synced_behind_gap(flow: &mut Flow, segment: &Segment, pass: Pass, now: u64) -> Verdict {
    if pass == Pass::First && flow.copy.next_seq == flow.copy.isn.wrapping_add(1) {
        // Most likely what opened the connection is queued. It has to complete the handshake: a host that answers with SYN
        // cookies has no socket before, and takes nothing else (kernel: `cookie_v4_check`).
        return Verdict::of(Action::Requeue, 0);
    }
    if is_inside(&mut flow.copy, segment) && !after(segment.end_seq(), flow.reply.edge) {
        // What is missing may be in the hold device.
        let limit = if flow.held() > 0 { WAIT_LIMIT } else { AHEAD_LIMIT };
        let copy = &mut flow.copy;
        if copy.ahead == 0 {
            copy.ahead_at = ticks(now);
            copy.ahead_end = segment.end_seq();
        } else if since(copy.ahead_at, now) > limit {
            return give_up(flow, segment, Discard::HoldExpired, now);
        } else if after(segment.end_seq(), copy.ahead_end) {
            copy.ahead_end = segment.end_seq();
        }
        copy.ahead = copy.ahead.wrapping_add(segment.segments);
        return deliver(flow, false);
    }
    // Behind one from the wire, what is missing may go into the hold device, too.
    if pass == Pass::Held {
        record_gap(flow, segment, now);
    }
    hold_or_break(flow, segment, pass, now)
}

/// Whether `segment`, before which something is missing, is the inside of a request that has begun before. Notes the
/// first that begins one: what is behind that belongs to it.
#[inline(always)]
fn is_inside(copy: &mut CopySide, segment: &Segment) -> bool {
    let waits = copy.start_waits != 0 && after(copy.start_at, copy.next_seq);
    let behind = waits && after(segment.seq, copy.start_at);
    if segment.start != Start::None && !behind {
        copy.start_at = segment.seq;
        copy.start_waits = 1;
    }
    // An earlier connection's, with other numbers of the server's, may come back late.
    let ours = near(segment.ack, copy.last_ack);
    segment.start == Start::None
        && segment.length > 0
        && !segment.blocked
        && !segment.closes()
        && !behind
        && ours
}

/// Something is missing before `segment`, which came back: counts the replies that the client got since, as
/// production had what is missing, and more.
#[inline(always)]
fn record_gap(flow: &mut Flow, segment: &Segment, now: u64) {
    let held = flow.held();
    let copy = &mut flow.copy;
    let mut gap = copy.gap();
    if copy.gap_at == 0 {
        gap = Gap { replies: 0, last_ack_low: copy.last_ack as u16 };
    }
    see_gap(copy, segment.seq, held, now);
    let ack = segment.ack as u16;
    if segment.length > 0 && ack.wrapping_sub(gap.last_ack_low).cast_signed() > 0 {
        gap = Gap { replies: gap.replies.saturating_add(1), last_ack_low: ack };
    }
    copy.set_gap(gap);
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
    flow.copy.state = State::SYNCED;
    flow.copy.bits = 0;
    flow.copy.isn = isn;
    flow.copy.next_seq = isn.wrapping_add(1);
    flow.copy.stalled_at = now;
    flow.copy.gap_at = 0;
    flow.copy.acked_seq = flow.copy.next_seq;
    flow.copy.acked_at = ticks(now);
    flow.copy.ahead = 0;
    flow.copy.start_waits = 0;
    flow.copy.syn_waits = 0;
    flow.copy.set_syn_at(now, false);
}

/// Whether two numbers may be of one connection at one time.
#[inline(always)]
fn near(a: u32, b: u32) -> bool {
    late(a, b) || late(b, a)
}

/// The synthetic client's socket has to go before what `segment` brings can begin.
#[inline(always)]
fn reset_first(flow: &mut Flow, pass: Pass, now: u64) -> Verdict {
    let seq = reset_at(flow, now);
    flow.copy.state = State::UNSYNCED;
    flow.copy.put(CopySide::BIT_SOCKET, false);
    flow.copy.put(CopySide::BIT_QUEUED, true);
    flow.copy.gap_at = now;
    flow.copy.desynced_at = ticks(now);
    flow.copy.ahead = 0;
    // What waits behind a copy that came back follows it, and is needed.
    if pass == Pass::First {
        give_up_held(flow);
    }
    Verdict::of(Action::ResetFirst, seq)
}

/// Whether a socket of memcached's may belong to the flow.
#[inline(always)]
pub fn has_socket(flow: &Flow) -> bool {
    flow.copy.state == State::SYNCED || flow.copy.has(CopySide::BIT_SOCKET)
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
    let (taken, given) = (flow.reply.rcv_nxt, flow.copy.next_seq);
    if answered && now.saturating_sub(flow.copy.stalled_at) <= ACK_DELAY && !after(taken, given) {
        given
    } else {
        taken
    }
}

#[inline(always)]
fn hold(flow: &mut Flow, now: u64) -> Verdict {
    if flow.held() == 0 {
        flow.copy.stalled_at = now;
        flow.copy.released_at = now;
    }
    Verdict::of(Action::Hold, 0)
}

/// Holds `segment`, or gives the connection up when it came back and has waited for too long.
#[inline(always)]
fn hold_or_break(flow: &mut Flow, segment: &Segment, pass: Pass, now: u64) -> Verdict {
    let copy = &flow.copy;
    // A client that does not wait is replied to all the time, whatever is missing.
    let begins = segment.start != Start::None || segment.closes();
    let limit = if begins && copy.ahead == 0 { GAP_LIMIT } else { AHEAD_LIMIT };
    // The first behind the gap: then what waits behind that one is seen in order.
    let lost = copy.gap_at != 0
        && copy.gap_round == 0
        && (now.saturating_sub(copy.gap_at) > limit
            || begins && copy.gap().replies >= REPLIES_LIMIT)
        && segment.seq == copy.gap_end;
    if pass != Pass::Held || is_patient(copy, segment, now) && !lost {
        return hold(flow, now);
    }
    give_up(flow, segment, Discard::HoldExpired, now)
}

/// Whether `segment` may wait on.
#[inline(always)]
fn is_patient(copy: &CopySide, segment: &Segment, now: u64) -> bool {
    now.saturating_sub(copy.stalled_at) <= WAIT_LIMIT && segment.waited <= COPY_LIMIT
}

/// Drops `segment` for `reason`, and looks for a boundary behind it.
#[inline(always)]
fn give_up(flow: &mut Flow, segment: &Segment, reason: Discard, now: u64) -> Verdict {
    let copy = &mut flow.copy;
    copy.state = State::UNSYNCED;
    copy.bits = CopySide::BIT_SOCKET;
    copy.gap_at = 0;
    copy.desynced_at = ticks(now);
    copy.ahead = 0;
    let advanced = may_advance(copy, segment, copy.next_seq);
    record(copy, segment, advanced);
    if segment.closes() {
        return Verdict::of(Action::Abort, reset_at(flow, now));
    }
    Verdict::discard(reason)
}

/// Whether what is held did not move for so long that it must have been dropped on the way.
#[inline(always)]
fn lost_in_hold(copy: &CopySide, now: u64) -> bool {
    now.saturating_sub(copy.released_at) > LOST_LIMIT
}

/// Forgets what is held: it is stale when it comes back.
#[inline(always)]
fn give_up_held(flow: &mut Flow) {
    flow.copy.epoch = flow.copy.epoch.wrapping_add(1);
    flow.held_out = flow.held_in;
}

#[cfg(test)]
mod tests;
