//! How much one map was sent of late, where `--rate-limit` is in force.

/// The state of one map's limit. 24 bytes. All zero keeps all flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct RateState {
    /// When the present window began, in ns since boot without time that was spent suspended.
    pub window_start: u64,
    /// What was sent in it, in ns that this takes at the limit's rate.
    pub spent: u64,
    /// How many of [`ALL_FLOWS`](super::ALL_FLOWS) are left out.
    pub left_out: u64,
}

const _: () = assert!(size_of::<RateState>() == 24);
