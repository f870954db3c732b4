//! The target's host: carries verdicts out as the programs in `mirror-ebpf/src/target` do, and checks
//! what they lead to.

use std::collections::VecDeque;

use mirror_common::{
    abi::{CopySide, Flow, NotedSyn, RequestState, State, mark::MAX_ARGUMENT},
    memcached::request_start::Start,
    packet::tcp::{FIN, NO_MORE, RST, SYN, after, late},
    target::{
        copy::{
            Action, COPY_LIMIT, Discard, GAP_LIMIT, Pass, Segment, WAIT_LIMIT, wants_evidence,
            wants_noted, wants_start,
        },
        noted_syn,
        reply::{self, Reply},
    },
};

use super::{
    Met,
    event::Last,
    judged::{judge_copy, judge_reply},
    server::Server,
};

/// A server acknowledges what it was given before so many nanoseconds are over.
const ACK_DELAY: u64 = 400_000_000;

/// A segment that was looked at for a boundary.
struct Watched {
    end: u32,
    ack: u32,
    crlf: bool,
}

/// A copy on its way to another judgement.
struct Waiting {
    segment: Segment,
    /// In the hold device: the flow's epoch. Else: how many copies were judged before.
    mark: u32,
    /// Since when it was in the hold device.
    since: u64,
}

#[derive(Default)]
pub(crate) struct Host {
    pub(crate) flow: Option<Flow>,
    pub(crate) server: Server,
    pub(crate) last: Last,
    pub(crate) met: Met,
    noted: Option<NotedSyn>,
    finished: Option<u32>,
    /// Whether a direct client uses the 4-tuple.
    real: bool,
    held: VecDeque<Waiting>,
    again: VecDeque<Waiting>,
    watched: Vec<Watched>,
    now: u64,
    judged: u32,
    /// The epoch that the last new flow began with.
    epoch: u32,
    /// Segments in the hold device, as far as the flow has to know.
    waits: u32,
}

fn end(segment: &Segment) -> u32 {
    let fin = u32::from(segment.flags & (FIN | RST) != 0);
    segment.seq.wrapping_add(segment.length).wrapping_add(fin)
}

impl Host {
    /// Where the client's stream goes on: behind a SYN that was noted, or the flow.
    pub(crate) fn next_seq(&self) -> u32 {
        match (self.noted, self.flow) {
            (Some(note), _) => note.isn.wrapping_add(1),
            (None, Some(flow)) => flow.copy.next_seq,
            (None, None) => 0,
        }
    }

    /// A copy from the wire.
    pub(crate) fn arrives(&mut self, mut segment: Segment) {
        if segment.flags & NO_MORE == SYN {
            return self.syn(segment.seq);
        }
        if self.find(&mut segment) {
            self.judge(segment, Pass::First, self.now, false);
        }
    }

    /// The oldest of the copies that a segment was made for.
    pub(crate) fn again(&mut self) {
        let Some(Waiting { mut segment, mark, since }) = self.again.pop_front() else { return };
        if self.find(&mut segment) {
            self.judge(segment, Pass::Requeued, since, mark == self.judged);
        }
    }

    /// A copy from the hold device.
    pub(crate) fn returns(&mut self, selection: usize) {
        let Some(Waiting { mut segment, mark, since }) = self.take(selection) else { return };
        if self.flow.is_some()
            && self.find(&mut segment)
            && self.flow.is_some_and(|flow| flow.copy.epoch & MAX_ARGUMENT == mark)
        {
            self.judge(segment, Pass::Held, since, false);
        }
    }

    fn take(&mut self, selection: usize) -> Option<Waiting> {
        let index = selection.checked_rem(self.held.len())?;
        self.held.remove(index)
    }

    /// The hold device loses a copy.
    pub(crate) fn loses(&mut self, selection: usize) {
        self.take(selection);
    }

    /// The hold device cuts a copy that stands for several in two.
    pub(crate) fn splits(&mut self, selection: usize) {
        let Some(Waiting { segment, mark, since }) = self.take(selection) else { return };
        let mut rest = segment;
        if segment.segments > 1 {
            let length = segment.length / segment.segments;
            rest.seq = segment.seq.wrapping_add(length);
            rest.length -= length;
            rest.segments -= 1;
            let first = Segment { length, segments: 1, flags: segment.flags & !FIN, ..segment };
            self.held.push_back(Waiting { segment: first, mark, since });
        }
        self.held.push_back(Waiting { segment: rest, mark, since });
    }

    /// `syn::run`, for a SYN without data.
    fn syn(&mut self, isn: u32) {
        if let Some(flow) = &mut self.flow {
            if noted_syn::is_open(&flow.copy, isn) {
                return;
            }
            flow.copy.syn_waits = 1;
        }
        if self.noted.is_none_or(|note| note.isn != isn) {
            self.noted = Some(noted_syn::note(isn, self.now));
        }
    }

    /// `syn::look_up`.
    fn look_up(&mut self, segment: &mut Segment) {
        segment.noted = false;
        if let Some(note) = &mut self.noted {
            noted_syn::look_up(note, segment, self.now);
        }
    }

    /// `tcp_copy::find`: whether there is a flow for `segment` now.
    fn find(&mut self, segment: &mut Segment) -> bool {
        if let Some(copy) = self.flow.map(|flow| flow.copy) {
            segment.noted = false;
            if wants_noted(&copy) {
                self.look_up(segment);
            }
            if segment.noted && copy.state == State::DIRECT && !self.real {
                if let Some(flow) = &mut self.flow {
                    flow.copy.state = State::UNSYNCED;
                    flow.copy.bits = 0;
                }
                self.watched.clear();
            }
            return true;
        }
        self.look_up(segment);
        if segment.length == 0 {
            if segment.flags & (FIN | RST) != 0 {
                self.noted = None;
            }
            return false;
        }
        let straggler = self.finished.is_some_and(|finished| late(end(segment), finished));
        if straggler && !segment.noted {
            return false;
        }
        let mut flow = Flow::default();
        self.epoch = self.epoch.wrapping_add(CopySide::EPOCH_STEP);
        flow.copy.epoch = self.epoch;
        if self.real {
            flow.copy.state = State::DIRECT;
        }
        self.flow = Some(flow);
        self.waits = 0;
        true
    }

    /// `tcp_copy::act`.
    fn judge(&mut self, mut segment: Segment, pass: Pass, since: u64, at_once: bool) {
        self.last = Last { end: end(&segment), ack: segment.ack };
        self.judged += 1;
        let Some(before) = self.flow else { return };
        let known = segment;
        if !wants_start(&before.copy, &segment, pass) {
            segment.start = Start::None;
        }
        if !wants_evidence(&before.copy, &segment, pass) {
            (segment.crlf, segment.request_state) = (false, RequestState::default());
        }
        segment.waited = if pass == Pass::Held { self.now - since } else { 0 };
        let mut flow = before;
        let verdict = judge_copy(&mut flow, &segment, pass, self.now);
        self.flow = Some(flow);
        self.met.copies.push(verdict.action);
        self.count(&before, &segment, pass, verdict.action == Action::Hold);
        let data_end = segment.seq.wrapping_add(segment.length);
        match verdict.action {
            Action::Open | Action::OpenAgain | Action::Adopt => {
                match verdict.action {
                    Action::Open => {
                        assert!(segment.noted, "without a SYN");
                        self.noted = None;
                    }
                    Action::Adopt => self.proven(&segment),
                    _ => {}
                }
                self.open(verdict.number);
                self.again.push_back(Waiting { segment: known, mark: self.judged, since });
            }
            Action::Requeue => {
                assert_eq!(pass, Pass::First, "queued over and over");
                self.again.push_back(Waiting { segment: known, mark: self.judged, since });
            }
            Action::ResetFirst => {
                assert!(!at_once, "reset over and over");
                self.server.reset(verdict.number);
                self.again.push_back(Waiting { segment: known, mark: self.judged, since });
            }
            Action::Deliver => self.deliver(&before, &segment, verdict.number),
            Action::DeliverLast => {
                self.deliver(&before, &segment, verdict.number);
                self.finish(end(&segment));
            }
            Action::Abort => {
                self.server.reset(verdict.number);
                self.finish(data_end);
            }
            Action::Hold => {
                let mark = flow.copy.epoch & MAX_ARGUMENT;
                self.held.push_back(Waiting { segment: known, mark, since });
            }
            Action::Discard if flow.copy.state == State::UNSYNCED => {
                if matches!(
                    verdict.reason,
                    Discard::Unsynced | Discard::HoldExpired | Discard::Blocked
                ) {
                    let Segment { ack, crlf, .. } = segment;
                    self.watched.push(Watched { end: end(&segment), ack, crlf });
                }
            }
            Action::Discard => {}
            Action::Forget => self.finish(data_end),
            Action::ForgetSocket => {
                self.server.reset(verdict.number);
                self.finish(segment.seq);
            }
        }
    }

    /// What waits is known to the flow, keeps its place, and does not wait for too long.
    fn count(&mut self, before: &Flow, segment: &Segment, pass: Pass, holds: bool) {
        let Some(flow) = &self.flow else { return };
        if flow.copy.epoch != before.copy.epoch {
            self.waits = 0;
        }
        if holds && pass == Pass::Held {
            assert_ne!(before.copy.state, State::DIRECT, "waits for nothing");
            // A little longer where a reset and the copy behind it are on their way.
            assert!(segment.waited <= COPY_LIMIT + GAP_LIMIT, "waits for too long");
        } else if holds {
            self.waits += segment.segments;
        } else if pass == Pass::Held {
            assert!(self.waits >= segment.segments, "more came back than were held");
            self.waits -= segment.segments;
        }
        assert_eq!(flow.held(), self.waits, "segments that wait");
    }

    fn open(&mut self, isn: u32) {
        self.server.syn(isn);
        self.watched.clear();
    }

    fn deliver(&mut self, before: &Flow, segment: &Segment, ack: u32) {
        let fin = segment.flags & (FIN | RST) != 0;
        if after(end(segment), before.copy.next_seq) {
            assert!(!segment.blocked, "not meant for this server");
        }
        if after(segment.seq, before.copy.next_seq) {
            let inside = segment.start == Start::None && !fin;
            assert!(inside || !after(segment.seq, before.reply.rcv_nxt), "overtook what waits");
        }
        if self.server.deliver(segment.seq, end(segment), ack, fin, self.now)
            && let Some(reply) = self.server.acknowledge()
        {
            self.replies(&reply);
        }
    }

    /// A boundary directly follows a segment that was seen, and acknowledges more than it did.
    fn proven(&self, segment: &Segment) {
        assert!(!segment.blocked, "not meant for this server");
        let proves = |seen: &Watched| {
            seen.end == segment.seq
                && after(segment.ack, seen.ack)
                && match segment.start {
                    Start::Text => seen.crlf,
                    Start::Binary => true,
                    Start::None => false,
                }
        };
        assert!(self.watched.iter().any(proves), "no boundary: {segment:?}");
    }

    fn finish(&mut self, end: u32) {
        self.server.forget();
        self.flow = None;
        self.finished = Some(end);
        self.watched.clear();
    }

    /// `egress::reply_tcp`.
    pub(crate) fn replies(&mut self, reply: &Reply) {
        let Some(mut flow) = self.flow else {
            assert!(self.finished.is_some(), "a reply left the host");
            return;
        };
        let verdict = judge_reply(&mut flow, reply, self.now);
        self.flow = Some(flow);
        self.met.replies.push(verdict.action);
        match verdict.action {
            reply::Action::Pass | reply::Action::DropData | reply::Action::DropAck => {}
            reply::Action::DropReset | reply::Action::DropLast => self.finish(flow.copy.next_seq),
            reply::Action::Reflect | reply::Action::ReflectLast => {
                assert_eq!(verdict.seq, reply.ack, "where the server expects the puppet");
                self.server.acknowledged(verdict.ack);
                if verdict.action == reply::Action::ReflectLast {
                    self.finish(flow.copy.next_seq);
                }
            }
        }
    }

    /// A direct client opens a connection with the same 4-tuple, or has closed it.
    pub(crate) fn real_client(&mut self) {
        self.real = !self.real;
        if !self.real {
            return;
        }
        self.server = Server::default();
        match &mut self.flow {
            Some(flow) => flow.copy.state = State::DIRECT,
            None => self.finished = None,
        }
    }

    pub(crate) fn wait(&mut self, time: u64) {
        let due = self.server.owes_since().is_some_and(|since| self.now + time > since + ACK_DELAY);
        if due && let Some(reply) = self.server.acknowledge() {
            self.replies(&reply);
        }
        self.now += time;
    }

    /// Nothing waits forever, even if the server is silent.
    pub(crate) fn settle(&mut self) {
        for _ in 0..3 + 3 * (self.held.len() + self.again.len()) {
            while !self.again.is_empty() {
                self.again();
            }
            self.wait(WAIT_LIMIT + 1);
            for _ in 0..self.held.len() {
                self.returns(0);
            }
        }
        assert!(self.held.is_empty() && self.again.is_empty(), "waits forever");
    }
}
