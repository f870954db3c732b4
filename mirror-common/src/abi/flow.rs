//! The target's flow table: one entry for each mirrored 4-tuple.
//!
//! Copies and replies of one flow are handled on different CPUs at once, so the value is split by
//! writer. [`CopySide`] is written at ingress only. Two CPUs can be there for one flow when a copy comes
//! back from the hold device while another arrives. One from the wire that has to wait changes `held_in`, which
//! a copy that comes back never writes, and little else. One that is next, or the inside of a request, is given
//! to TCP, which takes segments twice and in any order. The worst of a race is a number that is a segment behind,
//! until the server acknowledges more. While a flow is watched, copies from the wire wait for as long as any may come
//! back. [`ReplySide`] is written at egress only, under the lock of
//! memcached's socket; ingress resets it when it opens a connection, at which time no socket for the
//! 4-tuple exists. `acked` is written on both sides; it is a hint, and a stale value costs one
//! needless reflection.

use super::address::Address;
use crate::abi::RequestState;

/// A mirrored connection, as seen from the target. 40 bytes, all in network byte order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct FlowKey {
    /// The client, as production sees it.
    pub client_addr: Address,
    /// The address of this host that copies are sent to.
    pub local_addr: Address,
    /// The client's port.
    pub client_port: u16,
    /// memcached's port.
    pub local_port: u16,
    /// IP protocol number: 6 or 17.
    pub protocol: u8,
    /// Padding, zero.
    pub pad: u8,
    /// UDP, where the key names one request: memcached's request id. TCP: zero.
    pub request: u16,
}

/// What the target knows of a flow's stream. Zero is [`State::UNSYNCED`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(transparent)]
pub struct State(u32);

impl State {
    /// No request boundary is known: copies are looked at and discarded.
    pub const UNSYNCED: Self = Self(0);
    /// The synthetic client's SYN was given to the kernel; the connection is open once [`ReplySide`] says so.
    pub const SYNCED: Self = Self(1);
    /// A direct client owns the 4-tuple: copies are discarded, replies pass.
    pub const DIRECT: Self = Self(2);
}

/// What copies taught us. Written at ingress.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct CopySide {
    /// What the target knows of the stream.
    pub state: State,
    /// `BIT_` values.
    pub bits: u32,
    /// Sequence number of the SYN that opened the connection.
    pub isn: u32,
    /// Next sequence number to be given to the socket: the end of what was delivered in order.
    pub next_seq: u32,
    /// While unsynchronised: end of the last segment seen.
    pub last_end: u32,
    /// What the last segment acknowledged that was looked at or delivered.
    pub last_ack: u32,
    /// Number of the current use of the hold device; a copy that returns with another is stale.
    pub epoch: u32,
    /// Held segments that have yet to come back until each was judged once since `gap_at`.
    pub gap_round: u32,
    /// The first sequence number of those that wait behind the gap.
    pub gap_end: u32,
    /// [`Evidence`] while the flow is unsynchronised, [`Gap`] while a segment of a synchronised one is missing.
    pub notes: [u16; 2],
    /// Since when copies wait in vain, in ns of the monotonic clock.
    pub stalled_at: u64,
    /// Since when a segment is missing before those that came back, in ns; 0 for not at all.
    pub gap_at: u64,
    /// When a copy last came back from the hold device, in ns.
    pub released_at: u64,
    /// When the last copy arrived, in ns.
    pub seen_at: u64,
    /// While unsynchronised: where the stream is at `last_end`.
    pub request_state: RequestState,
    /// Since when TCP has segments ahead of one that is missing, or since when that last changed, in [`ticks`].
    pub ahead_at: u32,
    /// When the last connection was given up or reset, in [`ticks`].
    pub desynced_at: u32,
    /// Since when the server has not acknowledged more, in [`ticks`], as far as copies were there to see it.
    pub acked_at: u32,
    /// What it had acknowledged then.
    pub acked_seq: u32,
    /// Segments that TCP was given ahead of one that is missing; 0 when it has none.
    pub ahead: u32,
    /// End of the farthest of them.
    pub ahead_end: u32,
    /// Where the first request begins that waits for what is missing before it.
    pub start_at: u32,
    /// Whether there is one: not a bit of `bits`, which another CPU may write at the same time.
    pub start_waits: u16,
    /// Whether the SYN of another connection of the same ends was noted. For the same reason no bit.
    pub syn_waits: u16,
}

/// A moment as a flow keeps it: the monotonic clock in units of 1.05 ms.
#[inline(always)]
pub const fn ticks(now: u64) -> u32 {
    (now >> 20) as u32
}

/// Nanoseconds from such a moment to `now`, of which it is right to a unit.
#[inline(always)]
pub const fn since(moment: u32, now: u64) -> u64 {
    (ticks(now).wrapping_sub(moment) as u64) << 20
}

/// What speaks for and against a boundary, while the flow is unsynchronised.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Evidence {
    /// Without a [`RequestState`]: segments in a row that began like a request.
    pub request_starts: u16,
    /// With one: segments that began like a request where none begins.
    pub contradictions: u16,
}

/// What the client was told while a segment of a synchronised flow is missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Gap {
    /// Replies that it got since then.
    pub replies: u16,
    /// The lower half of what it acknowledged last.
    pub last_ack_low: u16,
}

impl CopySide {
    /// `last_end` and `last_ack` are set.
    pub const BIT_LAST: u32 = 1;
    /// The last segment that was looked at ended in CR LF.
    pub const BIT_CRLF: u32 = 2;
    /// A socket of the synthetic client's is left over and has to be reset before the next connection.
    pub const BIT_SOCKET: u32 = 4;
    /// The client's FIN was delivered.
    pub const BIT_FIN: u32 = 8;
    /// While unsynchronised: the left over socket is being reset, and a copy that was queued behind that
    /// comes first.
    pub const BIT_QUEUED: u32 = 16;

    /// The connection is older than the mirror, or was desynchronised: the server has not seen how it began.
    pub const BIT_ADOPTED: u32 = 32;

    /// From one new flow's first epoch to the next one's. A flow that follows another on the same
    /// 4-tuple must not begin with an epoch that the other had, or what the other left in the hold
    /// device would be taken for its own. The other's first is far away (the golden section of the 12
    /// bits of a mark), and it went up by one for each time that it gave up what it held.
    pub const EPOCH_STEP: u32 = 2531;

    /// For an unsynchronised flow.
    #[inline(always)]
    pub fn evidence(&self) -> Evidence {
        Evidence { request_starts: self.notes[0], contradictions: self.notes[1] }
    }

    /// The same.
    #[inline(always)]
    pub fn set_evidence(&mut self, evidence: Evidence) {
        self.notes = [evidence.request_starts, evidence.contradictions];
    }

    /// For a synchronised flow with a gap.
    #[inline(always)]
    pub fn gap(&self) -> Gap {
        Gap { replies: self.notes[0], last_ack_low: self.notes[1] }
    }

    /// The same.
    #[inline(always)]
    pub fn set_gap(&mut self, gap: Gap) {
        self.notes = [gap.replies, gap.last_ack_low];
    }

    /// When the copy was queued that comes first, in ns: what [`CopySide::gap_at`] is with
    /// [`CopySide::BIT_QUEUED`].
    #[inline(always)]
    pub fn queued_at(&self) -> u64 {
        debug_assert!(self.has(Self::BIT_QUEUED), "nothing is queued");
        self.gap_at
    }

    /// When the connection was opened, in [`ticks`]: what [`CopySide::ahead_at`] is until there is an answer, as there is
    /// nothing ahead by then.
    #[inline(always)]
    pub fn opened_at(&self) -> u32 {
        self.ahead_at
    }

    /// When the SYN was last given to the kernel: likewise [`CopySide::ahead_end`].
    #[inline(always)]
    pub fn syn_at(&self) -> u32 {
        self.ahead_end
    }

    /// The SYN is given to the kernel at `now`, in ns, the first time or `again`.
    #[inline(always)]
    pub fn set_syn_at(&mut self, now: u64, again: bool) {
        self.ahead_end = ticks(now);
        if !again {
            self.ahead_at = ticks(now);
        }
    }

    /// Whether all of `bit` is set.
    #[inline(always)]
    pub fn has(&self, bit: u32) -> bool {
        self.bits & bit == bit
    }

    /// Sets or clears `bit`.
    #[inline(always)]
    pub fn put(&mut self, bit: u32, on: bool) {
        if on {
            self.bits |= bit;
        } else {
            self.bits &= !bit;
        }
    }
}

/// What memcached's side said. Written at egress.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct ReplySide {
    /// `BIT_` values.
    pub bits: u32,
    /// End of what the server sent: what the synthetic client acknowledges.
    pub snd_nxt: u32,
    /// What the server acknowledged: where a reset has to hit.
    pub rcv_nxt: u32,
    /// First sequence number beyond the server's receive window.
    pub edge: u32,
    /// Window scale of the SYN-ACK (RFC 7323), 0 to 14.
    pub scale: u32,
}

impl ReplySide {
    /// A SYN-ACK was seen: the other fields are valid.
    pub const BIT_SYN_ACK: u32 = 1;
    /// The server's FIN was seen.
    pub const BIT_FIN: u32 = 2;
    /// The server does not know who the client is.
    pub const BIT_UNAUTHENTICATED: u32 = 4;

    /// Whether all of `bit` is set.
    #[inline(always)]
    pub fn has(&self, bit: u32) -> bool {
        self.bits & bit == bit
    }
}

/// State of one flow. 160 bytes, host byte order: with its key, and what the kernel adds, it fills 256.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Flow {
    /// Written at ingress.
    pub copy: CopySide,
    /// Written at egress.
    pub reply: ReplySide,
    /// Last acknowledgement that the synthetic client gave: by a copy or for the client.
    pub acked: u32,
    /// Segments that went into the hold device. Written for copies from the wire.
    pub held_in: u32,
    /// Segments that left it for good. Written for copies that come back.
    pub held_out: u32,
}

impl Flow {
    /// Segments that are in the hold device now.
    #[inline(always)]
    pub fn held(&self) -> u32 {
        self.held_in.wrapping_sub(self.held_out)
    }
}

/// What is kept of a flow that ended, so that stragglers are told from news. 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Finished {
    /// Sequence number at which the client's stream ended.
    pub end: u32,
    /// From behind this one on memcached was given it.
    pub isn: u32,
    /// Up to here.
    pub given: u32,
    /// Whether the server did not know who the client is, so that the rest of the connection is of no use: 0 or 1.
    pub unauthenticated: u32,
}

const _: () = assert!(size_of::<FlowKey>() == 40);
const _: () = assert!(size_of::<Flow>() == 160);
