//! The guard, on any host: whose packets it drops.

pub mod servers;
