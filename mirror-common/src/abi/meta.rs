//! What the agent remembers about an attachment, pinned beside the maps.

/// Who attached, when and with what; written by the agent, read by `status`.
///
/// The first six fields are frozen: whatever the version, an agent can read them of another version's attachment. It
/// reads them as 64-bit words, of which the whole is a multiple. Where `abi` is 0, nothing is attached in full yet, and
/// of the others only `ifindex` and the namespace mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Meta {
    /// Layout of everything in `abi`; a pin with another number is another version's.
    pub abi: u32,
    /// Interface the programs are attached to.
    pub ifindex: u32,
    /// When the programs were attached first, in seconds since the epoch.
    pub attached_at: u64,
    /// Version of the agent that loaded the programs last, NUL-padded.
    pub version: [u8; 24],
    /// The network namespace that the interface is in, by the kernel's cookie, which no other ever has; 0 for unknown.
    pub netns_cookie: u64,
    /// The same by its inode, as `/proc/self/ns/net` has it: for people, since the kernel gives it again.
    pub netns_inode: u64,
    /// When the attachment was last changed, in seconds since the epoch.
    pub changed_at: u64,
    /// What copies are sealed with.
    pub seal: u32,
    /// How often each TCP copy is sent, for a source.
    pub redundancy: u32,
    /// Receive buffer that a target's listeners are to have, in bytes; 0 for their own.
    pub receive_buffer: u32,
    /// Connections that a target mirrors at once, at most.
    pub max_connections: u32,
    /// Commands that a target blocks, as `memcached::admin_command` numbers them.
    pub blocked: u32,
    /// Whether a source copies what its host does not take itself, as 0 or 1.
    pub forwarded: u32,
}

impl Meta {
    /// Number of the present layout; raise it with every change to a type in `abi`.
    ///
    /// An agent that takes another version's attachment off reads those tables whose name and sizes it knows. So a
    /// table whose meaning changes, but not its size, gets another name.
    pub const ABI: u32 = 10;
}

const _: () = assert!(size_of::<Meta>() == 88);
