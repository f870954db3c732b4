//! What is known of whether this host's answers are seen.

/// Connections that were opened and not answered, as far as the programs see. 20 bytes, host byte order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Breaker {
    /// Whether a client has refused an answer that must have left this host unseen.
    pub leaked: u32,
    /// Connections that were opened since the last answer that was seen.
    pub unanswered: u32,
    /// Padding, zero. Where a packet's context has its mark: stores to both may become one instruction, which the verifier
    /// refuses.
    pub pad: u32,
    /// When the last of them was, in [`super::ticks`].
    pub opened_at: u32,
    /// When the first of them was.
    pub first_at: u32,
}

const _: () = assert!(size_of::<Breaker>() == 20);
