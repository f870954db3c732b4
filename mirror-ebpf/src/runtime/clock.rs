//! The kernel's clocks.

/// Nanoseconds since boot, without time spent suspended.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: the helper takes nothing and returns a number.
    unsafe { aya_ebpf::helpers::bpf_ktime_get_ns() }
}

/// Nanoseconds since boot, with time spent suspended: what passes on a wall clock that nobody sets.
#[inline(always)]
pub fn since_boot() -> u64 {
    // SAFETY: as above.
    unsafe { aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns() }
}
