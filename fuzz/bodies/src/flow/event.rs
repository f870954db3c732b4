//! What happens next, in eight bytes.

use mirror_common::{
    abi::{Flow, RequestState},
    memcached::request_start::Start,
    packet::tcp::{ACK, FIN, PSH, RST, SYN},
    target::{copy::Segment, reply::Reply},
};

const FLAGS: u8 = SYN | ACK | FIN | RST | PSH;

/// | byte | of a copy | of a reply |
/// |---|---|---|
/// | 0 | which event | |
/// | 1 | flags | which reply |
/// | 2 | 0..3: what the sequence number is relative to; 3..5: what the payload begins like; 5: ends in CR LF; 6: stands for several | |
/// | 3 | acknowledgement, relative to the one seen last | window scale |
/// | 4, 5 | length | length |
/// | 6, 7 | distance of the sequence number | window |
pub(crate) struct Event(pub(crate) [u8; 8]);

pub(crate) enum Kind {
    /// A copy arrives.
    Copy,
    /// A copy is judged again, behind the segment that was made for it.
    Again,
    /// A copy comes back from the hold device.
    Return,
    /// A copy is cut in two in the hold device.
    Split,
    /// A copy is lost in the hold device.
    Drop,
    /// Time passes.
    Wait,
    /// The server sends.
    Reply,
    /// A direct client takes the 4-tuple, or leaves it.
    RealClient,
}

/// The numbers of the copy that was judged last.
#[derive(Clone, Copy, Default)]
pub(crate) struct Last {
    pub(crate) end: u32,
    pub(crate) ack: u32,
}

impl Event {
    pub(crate) fn kind(&self) -> Kind {
        match self.0[0] % 16 {
            0..6 => Kind::Copy,
            6 => Kind::Again,
            7 | 8 => Kind::Return,
            9 => Kind::Split,
            10 => Kind::Drop,
            11 => Kind::Wait,
            12..15 => Kind::Reply,
            _ => Kind::RealClient,
        }
    }

    pub(crate) fn selection(&self) -> usize {
        usize::from(self.0[1])
    }

    /// Nanoseconds, up to 2.6 s.
    pub(crate) fn time(&self) -> u64 {
        u64::from(self.number(4)) * 40_000
    }

    pub(crate) fn number(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.0[at], self.0[at + 1]])
    }

    /// `next_seq` is what the client sends next, as far as is known.
    pub(crate) fn segment(&self, flow: &Flow, next_seq: u32, last: Last) -> Segment {
        let length = u32::from(self.number(4) & 0x3fff);
        let distance = i32::from(self.number(6).cast_signed());
        let base = match self.0[2] & 7 {
            0 | 1 => next_seq,
            2 => flow.copy.last_end,
            3 => flow.copy.isn,
            4 => flow.reply.edge.wrapping_sub(length),
            5 => last.end,
            6 => flow.copy.next_seq.wrapping_sub(length),
            _ => (distance << 16).cast_unsigned(),
        };
        let start = match self.0[2] >> 3 & 3 {
            0 | 1 => Start::None,
            2 => Start::Text,
            _ => Start::Binary,
        };
        Segment {
            seq: base.wrapping_add_signed(distance),
            ack: last.ack.wrapping_add_signed(self.0[3].cast_signed().into()),
            flags: self.0[1] & FLAGS,
            length,
            segments: if self.0[2] & 64 == 0 { 1 } else { length.div_ceil(1448).max(1) },
            waited: 0,
            blocked: self.0[2] & 128 != 0 && (1..=64).contains(&length),
            noted: false,
            isn: 0,
            start: if length == 0 { Start::None } else { start },
            crlf: length > 1 && self.0[2] & 32 != 0,
            request_state: self.request_state(),
        }
    }

    /// At a boundary, lost, or somewhere within a request.
    fn request_state(&self) -> RequestState {
        match self.0[7] & 7 {
            0..5 => RequestState::BOUNDARY,
            5 => RequestState::default(),
            6 => RequestState::BOUNDARY.feed(b"set k 0 0 12345\r\n"),
            _ => RequestState::BOUNDARY.feed(b"set k 0 0 12"),
        }
    }

    fn wild(&self) -> [u32; 2] {
        let [.., a, b, c, d] = self.0;
        [u32::from_le_bytes([a, b, c, d]), u32::from_be_bytes([d, a, b, c])]
    }

    pub(crate) fn wild_time(&self) -> u64 {
        u64::from_le_bytes(self.0)
    }

    pub(crate) fn wild_segment(&self) -> Segment {
        let [seq, ack] = self.wild();
        Segment {
            seq,
            ack,
            flags: self.0[1],
            length: ack,
            segments: seq,
            waited: self.wild_time(),
            blocked: self.0[1] & 32 != 0,
            noted: self.0[2] & 1 != 0,
            isn: seq.wrapping_sub(1),
            start: Start::Binary,
            crlf: true,
            request_state: self.request_state(),
        }
    }

    pub(crate) fn wild_reply(&self) -> Reply {
        let [seq, ack] = self.wild();
        Reply { seq, ack, flags: self.0[1], window: seq as u16, length: ack, scale: seq }
    }
}
