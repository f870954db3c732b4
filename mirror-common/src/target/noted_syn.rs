//! A copied SYN opens nothing. Production may refuse it, or never see it, and a client may connect and never speak:
//! none of these is a connection of the new memcached. So the SYN is noted, and what comes behind it opens the
//! connection: data, which the old host copies only for a connection that it has.
//!
//! Nobody has to prove a boundary then: the number of the stream's first byte is known.
//!
//! A SYN with data (RFC 7413) waits until its client is answered by production, and opens then, data and all: from what
//! the client sends next, it shows whether production took the data.

use crate::abi::{CopySide, NotedSyn, State, since, ticks};
use crate::packet::tcp::{ACK, RST, after};
use crate::target::copy::Segment;

/// A SYN that production was not seen to answer opens nothing later than this, in ns: half a minute more than Linux sends
/// one again in by itself (`net.ipv4.tcp_syn_linear_timeouts` and its doubling up to 32 s).
pub const UNANSWERED_LIMIT: u64 = 60_000_000_000;
/// How far the first data that arrives may lie behind the first that was sent, in bytes: an initial window
/// and what a client may send before it misses an acknowledgement.
const REACH: u32 = 1 << 20;

/// Notes a SYN with number `isn`, at `now` in ns.
#[inline(always)]
pub fn note(isn: u32, now: u64) -> NotedSyn {
    NotedSyn { isn, noted_at: ticks(now), reached: 0, answered: 0 }
}

/// Whether the connection is open that the SYN with number `isn` begins.
#[inline(always)]
pub fn is_open(copy: &CopySide, isn: u32) -> bool {
    copy.state == State::SYNCED && copy.isn == isn
}

/// What the SYN that was noted for the connection of `segment` says of it; and what it says of that.
#[inline(always)]
pub fn look_up(note: &mut NotedSyn, segment: &mut Segment, now: u64) {
    if segment.flags & (RST | ACK) == ACK {
        answer(note, segment.seq);
    }
    segment.isn = note.isn;
    segment.noted = segment.length > 0 && opens(note, segment.seq, now);
}

/// Its client sent something at `seq` that acknowledges: production has answered the SYN.
#[inline(always)]
fn answer(note: &mut NotedSyn, seq: u32) {
    if is_behind(note, seq) && (note.answered == 0 || after(seq, note.reached)) {
        note.reached = seq;
        note.answered = 1;
    }
}

/// Whether data at `seq` opens the connection.
#[inline(always)]
fn opens(note: &NotedSyn, seq: u32, now: u64) -> bool {
    is_behind(note, seq) && (note.answered != 0 || since(note.noted_at, now) <= UNANSWERED_LIMIT)
}

/// Whether production took the data that was in the SYN, of so many bytes: then its client goes on behind it.
#[inline(always)]
pub fn took(note: &NotedSyn, length: u32) -> bool {
    note.answered != 0 && !after(note.isn.wrapping_add(1).wrapping_add(length), note.reached)
}

#[inline(always)]
fn is_behind(note: &NotedSyn, seq: u32) -> bool {
    seq.wrapping_sub(note.isn.wrapping_add(1)) < REACH
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISN: u32 = u32::MAX;
    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn the_first_byte_opens_and_a_later_one() {
        let it = note(ISN, SECOND);
        for seq in [0, 1, 1460, REACH - 1] {
            assert!(opens(&it, seq, 2 * SECOND), "{seq}");
        }
        for seq in [ISN, ISN - 1, REACH, 1 << 31] {
            assert!(!opens(&it, seq, 2 * SECOND), "{seq}");
        }
    }

    #[test]
    fn what_production_did_not_answer_is_forgotten() {
        let mut it = note(ISN, SECOND);
        let later = SECOND + UNANSWERED_LIMIT + SECOND;
        assert!(!opens(&it, 0, later));
        answer(&mut it, 0);
        assert!(opens(&it, 0, later), "a client that connects and waits");
    }

    #[test]
    fn another_connection_answers_nothing() {
        let mut it = note(ISN, SECOND);
        answer(&mut it, 1 << 30);
        assert_eq!(it, note(ISN, SECOND));
    }

    #[test]
    fn data_in_a_syn_was_taken_when_its_client_goes_on_behind_it() {
        let mut it = note(ISN, SECOND);
        assert!(!took(&it, 10));
        answer(&mut it, 0);
        assert!(!took(&it, 10), "it was not: the client sends it again");
        answer(&mut it, 10);
        assert!(took(&it, 10));
        answer(&mut it, 0);
        assert!(took(&it, 10), "an old acknowledgement");
    }
}
