//! Reaching packet bytes, by the kernel's checked helpers only.

pub mod route;
pub mod skb;
pub mod socket;
pub mod xdp;
