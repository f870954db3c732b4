//! How long copies wait in the hold device.

/// The longest wait of late, host byte order.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Waits {
    /// How long that copy has waited, in ns.
    pub longest: u64,
    /// When it last went into the hold device, in ns of the monotonic clock.
    pub seen_at: u64,
}

impl Waits {
    /// A wait that was seen longer ago than this is over, in ns.
    pub const MEMORY: u64 = 1_000_000_000;
}

const _: () = assert!(size_of::<Waits>() == 16);
