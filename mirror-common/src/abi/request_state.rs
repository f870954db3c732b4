//! How far the stream of a connection was followed: the state of `memcached::request_parser`, kept in its flow.

/// How far the stream was followed. 24 bytes; all zero is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct RequestState {
    /// The command's name, eight letters of it; or the number of bytes in its value.
    pub(crate) word: u64,
    /// Bytes of a value, and of what ends it, that are still to come.
    pub(crate) data: u32,
    /// Bytes that the server has to reply at least.
    pub(crate) owed: u32,
    /// Where in a request, as the parser numbers it.
    pub(crate) phase: u8,
    /// Letters of the name, words behind it, or bytes of the header.
    pub(crate) count: u8,
    /// Which word behind the name is the value's length; 0 for none.
    pub(crate) length_at: u8,
    /// Bytes that it has to reply to this request at least.
    pub(crate) least: u8,
    /// Padding, zero.
    pub(crate) pad: u32,
}
