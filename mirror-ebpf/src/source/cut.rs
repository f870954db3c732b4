//! A copy that leaves in pieces: what the program that cuts it and those of its pieces say to each other.

use mirror_common::{
    packet::parse::Headers,
    source::cut::{self, Pieces},
};
use mirror_ebpf::packet::{
    room::{Chunk, FIRST_STEP},
    route::NextHop,
};

/// Bytes behind the fixed part of the IP header that are kept: all headers that a segment may have which is cut. More than
/// [`FIRST_STEP`], and less than headers and payload of any piece.
pub const HEAD: u32 = 160;

const _: () = assert!(HEAD > FIRST_STEP && HEAD < cut::LEAST);

/// A copy that is cut, and how far that is. Of one at a time.
pub struct Cut {
    /// Where the pieces go. The program that sends a piece does not ask again.
    pub hop: NextHop,
    /// As the copy has them.
    pub headers: Headers,
    /// None while nothing is cut.
    pub pieces: Pieces,
    /// Offset of the first byte behind the fixed part of the IP header.
    pub base: u32,
    /// Offset of the payload.
    pub behind: u32,
    /// Bytes of payload.
    pub payload: u32,
    /// The present piece.
    pub number: u32,
    /// Pieces that were sent.
    pub sent: u32,
    /// Of the present piece, what is summed so far.
    pub sum: u64,
    /// What is behind the fixed part of the IP header.
    pub head: [u32; HEAD as usize / 4],
    /// Room for what is being summed.
    pub chunk: Chunk,
}
