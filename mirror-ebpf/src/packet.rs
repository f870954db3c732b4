//! Reaching packet bytes, by the kernel's checked helpers only.

pub mod leaving;
pub mod room;
pub mod route;
pub mod segmentation;
pub mod skb;
pub mod socket;
pub mod xdp;
