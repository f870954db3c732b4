//! Production's client: what it sends, as the source sees it.

use std::ops::Range;

use mirror_common::tcp::{ACK, FIN, PSH, RST, SYN, after};

const MICROSECOND: u64 = 1_000;
/// A long silence: whatever waits has been delivered or given up by then.
pub(crate) const REST: u64 = 6_000_000_000;

/// One request of a client.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// A `get`, to which production replies with so many bytes.
    Get { reply: u32 },
    /// A `set` whose value's pieces, one to a segment, look like commands and end in CR LF.
    SetMimic { pieces: usize },
    /// A `set` of so many bytes.
    Set { length: usize },
}

/// How a client ends its connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Nothing,
    Fin,
    /// The last segment of data carries the FIN.
    FinWithData,
    /// A reset, long after the last reply.
    Reset,
    /// A reset right behind the last request.
    ResetInHaste,
}

/// What a client does on one connection.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) isn: u32,
    pub(crate) requests: Vec<Request>,
    /// Whether a request is sent before the reply to the one before it is there.
    pub(crate) pipelines: bool,
    /// Segments are at most so long.
    pub(crate) mss: usize,
    /// Time from one request to the next, in microseconds.
    pub(crate) pause: u64,
    /// Every so many segments one is sent twice; 0 for none.
    pub(crate) resends: usize,
    pub(crate) ending: Ending,
    /// Before this request the client is silent for [`REST`].
    pub(crate) rests_before: Option<usize>,
    /// And from then on the time from one request to the next is this, in microseconds.
    pub(crate) pause_then: u64,
}

/// A segment that production received.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) at: u64,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) payload: Vec<u8>,
}

/// A connection's true stream, and the segments that carried it.
pub(crate) struct Connection {
    pub(crate) isn: u32,
    pub(crate) stream: Vec<u8>,
    pub(crate) requests: Vec<Range<usize>>,
    pub(crate) sent: Vec<Sent>,
    pub(crate) ends_at: u64,
}

/// The bytes of request `number`, in the pieces that a segment must not span.
fn pieces(connection: usize, number: usize, request: &Request) -> Vec<Vec<u8>> {
    let key = format!("key-{connection}-{number}");
    let set = |length| format!("set {key} 0 0 {length}\r\n").into_bytes();
    match *request {
        Request::Get { .. } => vec![format!("get {key}\r\n").into_bytes()],
        Request::SetMimic { pieces } => {
            let lines = [&b"get evil\r\n"[..], b"set evil 0 0 3\r\nbad\r\n", b"flush_all\r\n"];
            let value: Vec<_> =
                (0..pieces).map(|piece| lines[(number + piece) % 3].to_vec()).collect();
            let mut all = vec![set(value.iter().map(Vec::len).sum::<usize>())];
            all.extend(value);
            all.push(b"\r\n".to_vec());
            all
        }
        Request::Set { length } => {
            let mut one = set(length);
            one.extend((0..length).map(|at| b'a' + (at % 23) as u8));
            one.extend(b"\r\n");
            vec![one]
        }
    }
}

impl Connection {
    /// Carries `plan` out from time `at` on.
    pub(crate) fn new(index: usize, plan: &Plan, mut at: u64) -> Self {
        let mut connection = Self {
            isn: plan.isn,
            stream: Vec::new(),
            requests: Vec::new(),
            sent: Vec::new(),
            ends_at: 0,
        };
        let mut ack = 77_000u32;
        connection.send(at, plan.isn, 0, SYN, Vec::new());
        connection.send(at + 100 * MICROSECOND, plan.isn.wrapping_add(1), ack, ACK, Vec::new());
        at += 200 * MICROSECOND;
        let mut segments = 0;
        for (number, request) in plan.requests.iter().enumerate() {
            if plan.rests_before == Some(number) {
                at += REST;
            }
            let begin = connection.stream.len();
            let mut mine: Vec<Sent> = Vec::new();
            for piece in pieces(index, number, request) {
                // A CR LF that is cut in two is no evidence, and would cost one more request.
                let whole = |mss: &usize| piece.len() % mss != 1;
                let mss = (2..=plan.mss).rev().find(whole).unwrap_or(plan.mss);
                for part in piece.chunks(mss) {
                    at += 10 * MICROSECOND;
                    let seq = connection.seq_of(connection.stream.len());
                    connection.stream.extend(part);
                    connection.send(at, seq, ack, ACK | PSH, part.to_vec());
                    mine.extend(connection.sent.last().cloned());
                    segments += 1;
                    if plan.resends > 0 && segments % plan.resends == 0 {
                        // One of this request's, before its reply: the same acknowledgement.
                        let mut again = mine[segments % mine.len()].clone();
                        again.at = at + 5 * MICROSECOND;
                        connection.sent.push(again);
                    }
                }
            }
            connection.requests.push(begin..connection.stream.len());
            let reply = match *request {
                Request::Get { reply } => reply,
                Request::Set { .. } | Request::SetMimic { .. } => 8,
            };
            let rested = plan.rests_before.is_some_and(|rest| number >= rest);
            at += if rested { plan.pause_then } else { plan.pause } * MICROSECOND;
            ack = ack.wrapping_add(reply);
            if !plan.pipelines && number % 3 == 0 {
                let seq = connection.seq_of(connection.stream.len());
                connection.send(at, seq, ack, ACK, Vec::new());
            }
        }
        let end = connection.seq_of(connection.stream.len());
        at += MICROSECOND;
        match plan.ending {
            Ending::Nothing => {}
            Ending::Fin => connection.send(at, end, ack, ACK | FIN, Vec::new()),
            Ending::FinWithData => {
                for sent in &mut connection.sent {
                    let length = sent.payload.len() as u32;
                    if length > 0 && sent.seq.wrapping_add(length) == end {
                        sent.flags |= FIN;
                    }
                }
            }
            Ending::Reset => {
                at += REST;
                connection.send(at, end, ack, RST, Vec::new());
            }
            Ending::ResetInHaste => connection.send(at, end, ack, RST, Vec::new()),
        }
        connection.ends_at = at;
        connection
    }

    fn send(&mut self, at: u64, seq: u32, ack: u32, flags: u8, payload: Vec<u8>) {
        self.sent.push(Sent { at, seq, ack, flags, payload });
    }

    /// Number of the first request of which nothing was sent before `time`.
    pub(crate) fn requests_after(&self, time: u64) -> usize {
        let before = self.sent.iter().rfind(|sent| sent.at < time && !sent.payload.is_empty());
        let seq = before.map_or(self.isn, |sent| sent.seq);
        self.requests.partition_point(|range| !after(self.seq_of(range.start), seq))
    }

    /// Sequence number of the byte at `offset` of the stream.
    pub(crate) fn seq_of(&self, offset: usize) -> u32 {
        self.isn.wrapping_add(1).wrapping_add(offset as u32)
    }

    /// Offset in the stream of the byte with sequence number `seq`.
    pub(crate) fn offset_of(&self, seq: u32) -> Option<usize> {
        let offset = seq.wrapping_sub(self.isn.wrapping_add(1)) as usize;
        (offset <= self.stream.len()).then_some(offset)
    }
}
