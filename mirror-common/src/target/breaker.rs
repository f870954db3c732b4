//! Opens no more connections where this host's answers are not seen: then they leave by a way that none of our programs
//! is on, to real clients.
//!
//! This host's TCP answers a SYN at once, and the program at egress sees that before anything leaves. (Not before the next
//! connection is opened: the kernel runs tc for a whole batch before it gives any of it to TCP.) Where some were opened
//! and none was answered, either the answers leave unseen, or there are none, since the queue of the listener is full or a
//! firewall drops what we give to the stack. From outside, these are the same for a while: few connections are opened from
//! then on, and each later than the one before. What tells is a client that refuses an answer: from then on none is opened
//! until the agent is told again to serve, and those that are open are given up.

use crate::abi::{Breaker, since, ticks};

/// So many connections may wait for an answer while none is seen: the handful that can leak.
pub const LIMIT: u32 = 8;
/// So many, if all of them were opened within [`BATCH_TIME`]: what network cards hand over at once.
const BATCH: u32 = 256;
/// In ns: longer than a processor of a virtual machine stands still.
const BATCH_TIME: u64 = 100_000_000;
/// How long after that the next may be opened, in ns; twice as long for each one more, up to 64 times.
const PAUSE: u64 = 2_000_000_000;
const DOUBLINGS: u32 = 6;

/// In [`ticks`]: 16.8 ms.
const ASKED_EACH: u32 = 16;

/// Whether it is time to ask again, for an open connection, if this host's answers are seen; `last` is when its last copy
/// arrived and `now` when this one does, in ns. The first copy asks in each such time, and a busy connection seldom.
#[inline(always)]
pub fn asks_again(last: u64, now: u64) -> bool {
    ticks(last) / ASKED_EACH != ticks(now) / ASKED_EACH
}

/// Whether a connection may be opened at `now`, in ns.
#[inline(always)]
pub fn may_open(breaker: &Breaker, now: u64) -> bool {
    if breaker.leaked != 0 {
        return false;
    }
    if breaker.unanswered < LIMIT
        || breaker.unanswered < BATCH && since(breaker.first_at, now) <= BATCH_TIME
    {
        return true;
    }
    let more = breaker.unanswered.saturating_sub(LIMIT);
    let pause = PAUSE << if more > DOUBLINGS { DOUBLINGS } else { more };
    since(breaker.opened_at, now) > pause
}

/// A connection is opened at `now`, in ns.
#[inline(always)]
pub fn opened(breaker: &mut Breaker, now: u64) {
    if breaker.unanswered == 0 {
        breaker.first_at = ticks(now);
    }
    breaker.unanswered = breaker.unanswered.saturating_add(1);
    breaker.opened_at = ticks(now);
}

/// An answer was seen, before it could leave.
#[inline(always)]
pub fn answered(breaker: &mut Breaker) {
    if breaker.unanswered != 0 {
        breaker.unanswered = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// When connections are opened that nobody answers, if one is wanted every 10 ms for `seconds`.
    fn unanswered(seconds: u64) -> Breaker {
        let mut breaker = Breaker::default();
        let mut opens = 0;
        for now in (SECOND..(1 + seconds) * SECOND).step_by(10_000_000) {
            if may_open(&breaker, now) {
                opened(&mut breaker, now);
                opens += 1;
            }
        }
        assert_eq!(breaker.unanswered, opens);
        breaker
    }

    #[test]
    fn a_handful_at_first_and_then_ever_fewer() {
        // One each 10 ms within the time of a batch.
        let at_first = unanswered(1).unanswered;
        assert!((LIMIT..LIMIT + 6).contains(&at_first), "{at_first}");
        assert!(unanswered(120).unanswered <= at_first + 6);
    }

    #[test]
    fn an_answer_allows_all() {
        let mut breaker = unanswered(60);
        let now = 61 * SECOND;
        assert!(!may_open(&breaker, now));
        answered(&mut breaker);
        for _ in 0..BATCH {
            assert!(may_open(&breaker, now), "one batch");
            opened(&mut breaker, now);
        }
        assert!(!may_open(&breaker, now));
    }

    #[test]
    fn an_open_connection_asks_once_in_a_while() {
        let busy = (SECOND..2 * SECOND).step_by(1_000_000);
        let asked = busy.filter(|now| asks_again(now - 1_000_000, *now)).count();
        assert!((59..=61).contains(&asked), "{asked}");
        let slow = (SECOND..20 * SECOND).step_by(50_000_000);
        assert!(slow.clone().all(|now| asks_again(now - 50_000_000, now)));
    }

    #[test]
    fn a_leak_ends_it() {
        let breaker = Breaker { leaked: 1, ..Breaker::default() };
        assert!(!may_open(&breaker, u64::MAX));
    }
}
