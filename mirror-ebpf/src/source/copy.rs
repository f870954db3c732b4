//! A copy on its way out.

use mirror_common::{abi::Address, packet::parse::Headers};
use mirror_ebpf::packet::route::Question;

/// What a copy is, once it is one: all that its way depends on.
pub struct Copy {
    /// As the client's packet has them.
    pub headers: Headers,
    /// Where it goes.
    pub target: Address,
    /// Whose it is.
    pub src: Address,
    /// Its ports, network byte order.
    pub ports: (u16, u16),
    /// The first word of its IP header.
    pub first_word: u32,
    /// Bytes from the IP header of the largest packet that it is on the wire.
    pub length: u32,
    /// Bytes behind the transport header.
    pub payload: u32,
}

impl Copy {
    /// What to ask routing tables.
    #[inline(always)]
    pub fn question(&self) -> Question<'_> {
        Question {
            headers: &self.headers,
            src: &self.src,
            dst: &self.target,
            ports: self.ports,
            first_word: self.first_word,
            length: self.length,
        }
    }
}
