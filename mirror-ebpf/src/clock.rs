//! The kernel's monotonic clock.

/// Nanoseconds since boot, without time spent suspended.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: the helper takes nothing and returns a number.
    unsafe { aya_ebpf::helpers::bpf_ktime_get_ns() }
}
