//! What is kept of a copied SYN until its client speaks.

/// A SYN that was copied, of a connection that is not open here. 16 bytes, host byte order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct NotedSyn {
    /// Its sequence number.
    pub isn: u32,
    /// When it came, in [`super::ticks`].
    pub noted_at: u32,
    /// Where the client was in its stream when it last acknowledged production's SYN-ACK or sent data: a sequence number.
    pub reached: u32,
    /// Whether it did.
    pub answered: u32,
}

const _: () = assert!(size_of::<NotedSyn>() == 16);
