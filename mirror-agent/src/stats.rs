//! What the counters say.

pub mod snapshot;
