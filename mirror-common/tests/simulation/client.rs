//! Production's client: what it sends, as the source sees it.

use std::ops::Range;

use mirror_common::packet::tcp::{ACK, FIN, PSH, RST, SYN, after};

use crate::requests::{Protocol, Request};

const MICROSECOND: u64 = 1_000;
/// A long silence: whatever waits has been delivered or given up by then.
pub(crate) const REST: u64 = 6_000_000_000;

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

/// How fast a client sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Time until it takes what was replied for read, in microseconds.
    pub(crate) pause: u64,
    /// So many requests are written at once, and cut into segments wherever one is full.
    pub(crate) joined: usize,
    /// So many replies are still on their way when the next request is sent.
    pub(crate) behind: usize,
}

/// What a client does on one connection.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) isn: u32,
    /// The first number that production's server sends.
    pub(crate) ack: u32,
    pub(crate) protocol: Protocol,
    pub(crate) requests: Vec<Request>,
    pub(crate) pace: Pace,
    /// Segments are at most so long. What the network card has joined is longer than a packet.
    pub(crate) mss: usize,
    /// Every so many segments one, or two as one, is sent again; 0 for none.
    pub(crate) resends: usize,
    pub(crate) ending: Ending,
    /// Before this request the client is silent for [`REST`], and then it sends at this pace.
    pub(crate) rests_before: Option<(usize, Pace)>,
}

impl Plan {
    /// The number of the first request behind the client's rest.
    pub(crate) fn rested(&self) -> usize {
        self.rests_before.map_or(0, |(number, _)| number)
    }

    /// The last request that is written together with request `first`, and the pace of both.
    fn batch(&self, first: usize) -> (Range<usize>, Pace) {
        let (limit, pace) = match self.rests_before {
            Some((rest, _)) if first < rest => (rest, self.pace),
            Some((_, pace)) => (self.requests.len(), pace),
            None => (self.requests.len(), self.pace),
        };
        (first..limit.min(first + pace.joined), pace)
    }
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
        let replies = |requests: usize| {
            let lengths = plan.requests[..requests].iter().map(|one| one.reply(plan.protocol));
            lengths.fold(plan.ack, u32::wrapping_add)
        };
        connection.send(at, plan.isn, 0, SYN, Vec::new());
        connection.send(at + 100 * MICROSECOND, plan.isn.wrapping_add(1), plan.ack, ACK, vec![]);
        at += 200 * MICROSECOND;
        let (mut number, mut segments) = (0, 0);
        while number < plan.requests.len() {
            if plan.rests_before.is_some_and(|(rest, _)| rest == number) {
                at += REST;
            }
            let (batch, pace) = plan.batch(number);
            let parts = connection.parts(index, plan, batch.clone(), pace);
            let count = parts.len();
            let mine = connection.sent.len();
            for (part, payload) in parts.into_iter().enumerate() {
                at += 10 * MICROSECOND;
                let halfway = pace.behind > 0 && part > count / 2;
                let known = (number + usize::from(halfway)).saturating_sub(pace.behind);
                connection.write(at, replies(known), payload);
                segments += 1;
                if plan.resends > 0 && segments % plan.resends == 0 {
                    connection.resend(mine + segments % (part + 1), at + 5 * MICROSECOND);
                }
            }
            number = batch.end;
            let quiet = plan.requests[batch].iter().all(|one| one.reply(plan.protocol) == 0);
            at += if quiet { 20 } else { pace.pause } * MICROSECOND;
            if pace.behind == 0 && number % 3 == 1 {
                let seq = connection.seq_of(connection.stream.len());
                connection.send(at, seq, replies(number), ACK, Vec::new());
            }
        }
        at += MICROSECOND;
        connection.end(plan.ending, at, replies(number));
        connection
    }

    /// The segments' payloads for the requests of `batch`, whose places it notes.
    fn parts(
        &mut self,
        index: usize,
        plan: &Plan,
        batch: Range<usize>,
        pace: Pace,
    ) -> Vec<Vec<u8>> {
        let mut begin = self.requests.last().map_or(0, |range| range.end);
        let mut pieces = Vec::new();
        for number in batch {
            let mut mine = plan.requests[number].pieces(plan.protocol, index, number);
            let end = begin + mine.iter().map(Vec::len).sum::<usize>();
            self.requests.push(begin..end);
            begin = end;
            pieces.append(&mut mine);
        }
        if pace.joined > 1 {
            pieces = vec![pieces.concat()];
        }
        let cut = |piece: Vec<u8>| {
            // A CR LF that is cut in two is no evidence, and would cost one more request.
            let whole = |mss: &usize| piece.len() % mss != 1;
            let mss = (2..=plan.mss).rev().find(whole).unwrap_or(plan.mss);
            piece.chunks(mss).map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        pieces.into_iter().flat_map(cut).collect()
    }

    fn send(&mut self, at: u64, seq: u32, ack: u32, flags: u8, payload: Vec<u8>) {
        self.sent.push(Sent { at, seq, ack, flags, payload });
    }

    fn write(&mut self, at: u64, ack: u32, payload: Vec<u8>) {
        let seq = self.seq_of(self.stream.len());
        self.stream.extend(&payload);
        self.send(at, seq, ack, ACK | PSH, payload);
    }

    /// Sends the segment with this index again; every second time together with the one behind it.
    fn resend(&mut self, index: usize, at: u64) {
        let mut again = self.sent[index].clone();
        again.at = at;
        let end = again.seq.wrapping_add(again.payload.len() as u32);
        let joins = self.sent.len().is_multiple_of(2);
        if let Some(next) = self.sent.get(index + 1).filter(|next| joins && next.seq == end) {
            again.ack = next.ack;
            again.payload.extend(&next.payload);
        }
        self.sent.push(again);
    }

    fn end(&mut self, ending: Ending, mut at: u64, ack: u32) {
        let end = self.seq_of(self.stream.len());
        match ending {
            Ending::Nothing => {}
            Ending::Fin => self.send(at, end, ack, ACK | FIN, Vec::new()),
            Ending::FinWithData => {
                for sent in &mut self.sent {
                    let length = sent.payload.len() as u32;
                    if length > 0 && sent.seq.wrapping_add(length) == end {
                        sent.flags |= FIN;
                    }
                }
            }
            Ending::Reset => {
                at += REST;
                self.send(at, end, ack, RST, Vec::new());
            }
            Ending::ResetInHaste => self.send(at, end, ack, RST, Vec::new()),
        }
        self.ends_at = at;
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
