//! What the agent remembers about an attachment, pinned beside the maps.

/// Who attached, when and with what; written once by the agent, read by `status`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Meta {
    /// Layout of everything in `abi`; a pin with another number is another version's.
    pub abi: u32,
    /// Interface the programs are attached to.
    pub ifindex: u32,
    /// Seconds since the epoch.
    pub attached_at: u64,
    /// Version of the agent that loaded the programs, NUL-padded.
    pub version: [u8; 24],
    /// Seal magic in force.
    pub seal: u32,
    /// How often each TCP copy is sent, for a source.
    pub redundancy: u32,
    /// Receive buffer that a target's listeners are to have, in bytes; 0 for their own.
    pub receive_buffer: u32,
    /// Zero.
    pub pad: u32,
}

impl Meta {
    /// Number of the present layout; raise it with every change to a type in `abi`.
    pub const ABI: u32 = 5;
}

const _: () = assert!(size_of::<Meta>() == 56);
