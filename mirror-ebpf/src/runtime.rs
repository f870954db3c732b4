//! What every program needs besides packets: the clock, counters, settings, and a trace for debugging.

pub mod clock;
pub mod counters;
pub mod settings;
pub mod trace;
