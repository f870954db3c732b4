//! `--rate-limit`: whole flows are left out, and never a segment of a flow that is kept.
//!
//! What is sent is paid for from a bucket that is filled once in a window: each copy costs the time that it
//! takes at the limit's rate. Where a window's time is spent before it is over, fewer flows are kept; where
//! much of it is left, more. A flow's hash says whether it is among them, so that only those at the margin
//! change sides, and no table is needed. The limit holds on average, not for each packet.

use crate::{
    abi::{ALL_FLOWS, Address, RateState, Selection},
    source::select,
};

/// A window, in ns: what the bucket holds.
pub const WINDOW: u64 = 250_000_000;
/// A window is no shorter, or a burst of a moment would be taken for a rate.
const SHORTEST: u64 = 5_000_000;
/// Of a hundred: how much of a window is aimed at, and what is near enough to change nothing.
const AIM: u64 = 95;
const ENOUGH: u64 = 85;
/// No window multiplies what is kept by less than one of so many, or by more than 1 + 1 of so many.
const STEEPEST_CUT: u64 = 4;
const STEEPEST_RISE: u64 = 10;
const ALL: u64 = ALL_FLOWS as u64;

/// Whether there is a limit at all.
#[inline(always)]
pub fn is_limited(selection: &Selection) -> bool {
    selection.packets_per_s | selection.kbits_per_s != 0
}

/// Where a flow is between 0 and [`ALL_FLOWS`]; ports in host order. Says nothing about its place in a
/// sample.
#[inline(always)]
pub fn place(selection: &Selection, client: &Address, client_port: u16, local_port: u16) -> u64 {
    // Another seed, or those that are kept would be the same as those in a smaller sample.
    select::share(!selection.seed, client, client_port, local_port)
}

/// What copies cost, in ns at the limit's rate: so many segments on the wire of so many bytes together.
#[inline(always)]
pub fn cost(selection: &Selection, segments: u64, bytes: u64) -> u64 {
    const SECOND: u64 = 1_000_000_000;
    let at = |amount: u64, per_s: u32| amount.checked_div(u64::from(per_s)).unwrap_or(0);
    let packets = at(segments * SECOND, selection.packets_per_s);
    let bits = at(bytes * 8 * (SECOND / 1000), selection.kbits_per_s);
    if packets > bits { packets } else { bits }
}

/// Whether a copy of the flow at `place` is made, and pays what it costs; `now` in ns.
///
/// CPUs do not wait for each other. Two that end one window together write much the same; where two pay within
/// the same few ns, one payment is lost, of a hundred perhaps when there are a million in a second.
#[inline(always)]
pub fn admit(state: &mut RateState, place: u64, cost: u64, now: u64) -> bool {
    let age = now.saturating_sub(state.window_start);
    if age >= WINDOW || age >= SHORTEST && state.spent >= WINDOW {
        state.left_out = next_left_out(state.left_out, state.spent, age);
        state.spent = 0;
        state.window_start = now;
    }
    if place < state.left_out {
        return false;
    }
    state.spent += cost;
    true
}

/// How many flows are left out behind a window of `age` in which `spent` was spent, both in ns.
#[inline(always)]
pub fn next_left_out(left_out: u64, spent: u64, age: u64) -> u64 {
    if age >= 40 * WINDOW {
        // Nobody sent for ten seconds.
        return 0;
    }
    let kept = ALL - if left_out < ALL { left_out } else { ALL };
    let full = spent * 100 / age.max(1);
    let next = if full > 100 {
        let aimed = kept * AIM / full;
        let least = kept / STEEPEST_CUT;
        if aimed > least { aimed } else { least }
    } else if full >= ENOUGH {
        kept
    } else {
        let most = kept + kept / STEEPEST_RISE + 1;
        let aimed = (kept * AIM).checked_div(full).map_or(most, |kept| kept + 1);
        if aimed < most { aimed } else { most }
    };
    ALL - if next < ALL { next } else { ALL }
}

#[cfg(test)]
mod tests;
