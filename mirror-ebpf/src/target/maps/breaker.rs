//! Whether this host's answers are seen.

use aya_ebpf::{macros::map, maps::Array};
use mirror_common::abi::Breaker;

/// One entry. Written for each connection that is opened, and when it is answered.
#[map]
static BREAKER: Array<Breaker> = Array::with_max_entries(1, 0);

/// What is known of this host's answers.
#[inline(always)]
pub fn breaker() -> Option<&'static mut Breaker> {
    // SAFETY: plain numbers in an array that is pinned. Two CPUs may write at once: then one connection is not counted.
    BREAKER.get_ptr_mut(0).map(|breaker| unsafe { &mut *breaker })
}
