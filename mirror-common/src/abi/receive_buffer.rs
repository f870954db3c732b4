//! What a listener of memcached's had before the agent gave it a larger receive buffer.

/// Listeners that one target can remember.
pub const MAX_LISTENERS: u32 = 1024;

/// A socket's receive buffer. 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ReceiveBuffer {
    /// Its size, as `getsockopt` has it.
    pub bytes: u32,
    /// 1 where the size was set by an application, and the kernel must not change it; else 0.
    pub locked: u32,
}

const _: () = assert!(size_of::<ReceiveBuffer>() == 8);
