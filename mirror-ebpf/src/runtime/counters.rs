//! Per-CPU counters: one array of numbers for each CPU, found with one look-up per packet.

use aya_ebpf::maps::PerCpuArray;

/// The present CPU's counters.
#[derive(Clone, Copy)]
pub struct Counters<const N: usize>(*mut [u64; N]);

impl<const N: usize> Counters<N> {
    /// The counters of entry `index` in `map`; `None` beyond its end.
    #[inline(always)]
    pub fn of(map: &PerCpuArray<[u64; N]>, index: u32) -> Option<Self> {
        map.get_ptr_mut(index).map(Self)
    }

    /// Adds `amount` to counter `at`; one beyond the end is not counted.
    #[inline(always)]
    pub fn add(self, at: usize, amount: u64) {
        if at < N {
            // SAFETY: the pointer is to this CPU's array, which has `N` entries. A program cannot
            // be preempted by another on the same CPU between the load and the store, except by a
            // hook in interrupt context, and tc has none.
            unsafe { (*self.0)[at] += amount };
        }
    }
}
