//! What a target does with a port: the values of its port table.

/// Nothing: copies for it are refused.
pub const NO: u32 = 0;
/// Serves copies, and keeps replies to them from leaving.
pub const YES: u32 = 1;
/// Refuses copies, and still keeps replies from leaving: for the time it takes to end the sockets.
pub const DRAINING: u32 = 2;
