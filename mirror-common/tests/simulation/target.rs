//! The target: carries verdicts out as the programs in `mirror-ebpf/src/target` do.

use std::{cmp::Reverse, collections::BinaryHeap};

use mirror_common::{
    abi::{CopySide, Flow, NotedSyn, RequestState, State, mark::MAX_ARGUMENT},
    memcached::{
        admin_command,
        request_start::{self, LOOK, Start},
    },
    packet::tcp::{ACK, FIN, PSH, RST, SYN, late},
    target::{
        copy::{self, Action, Pass, Segment},
        noted_syn,
        reply::{self, Reply},
    },
};

use crate::{
    Host,
    client::{Connection, REST, Sent},
    hold::{HoldDevice, segments},
    server::Server,
    stack::{Stack, Wire},
};

const MICROSECOND: u64 = 1_000;
/// How long a packet waits that is sent round to ingress.
const BACKLOG_DELAY: u64 = 15 * MICROSECOND;
/// How long at most the end waits for what is in the hold device.
const PATIENCE: u64 = 60_000_000_000;
/// How often memcached looks for something to read, and the stack at its timers.
const SERVER_PACE: u64 = 400 * MICROSECOND;

/// What happens next.
enum Event {
    Copy(Sent),
    Again(Sent),
    /// With its epoch, and since when it waits.
    Held(Sent, u32, u64),
    Reflected(Wire),
    Serve,
}

/// Segments of copies by what became of them.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) arrived: usize,
    pub(crate) applied: usize,
    pub(crate) discarded: usize,
    pub(crate) lost_in_hold: usize,
    pub(crate) in_hold: usize,
    pub(crate) broken: usize,
}

/// The target host.
pub(crate) struct Target {
    flow: Option<Flow>,
    noted: Option<NotedSyn>,
    finished: Option<u32>,
    /// What the last new flow began with.
    epoch: u32,
    stack: Stack,
    pub(crate) server: Server,
    events: BinaryHeap<(Reverse<(u64, usize)>, usize)>,
    bodies: Vec<Option<Event>>,
    now: u64,
    hold_device: HoldDevice,
    /// What memcached is not to be given.
    blocked: u32,
    /// When memcached looks next.
    serves_at: Option<u64>,
    pub(crate) counts: Counts,
    connections: Vec<Connection>,
}

impl Target {
    pub(crate) fn new(connections: Vec<Connection>, host: &Host) -> Self {
        Self {
            flow: None,
            noted: None,
            finished: None,
            epoch: 0,
            stack: Stack::new(host.window, host.first),
            server: Server::new(host.appetite),
            events: BinaryHeap::new(),
            bodies: Vec::new(),
            now: 0,
            hold_device: HoldDevice::new(host),
            blocked: host.blocked,
            serves_at: None,
            counts: Counts::default(),
            connections,
        }
    }

    fn at(&mut self, time: u64, event: Event) {
        let number = self.bodies.len();
        self.bodies.push(Some(event));
        self.events.push((Reverse((time, number)), number));
    }

    /// A copy will arrive at `time`.
    pub(crate) fn will_arrive(&mut self, time: u64, sent: Sent) {
        self.at(time, Event::Copy(sent));
    }

    /// Runs until `end`, and on until nothing waits and all is read.
    pub(crate) fn run(&mut self, mut end: u64) {
        let limit = end + PATIENCE;
        while let Some((Reverse((time, _)), number)) = self.events.pop() {
            if time > end.min(limit) {
                break;
            }
            if self.counts.in_hold > 0 {
                end = end.max(time + REST);
            }
            self.now = time;
            match self.bodies[number].take() {
                Some(Event::Copy(sent)) => self.copy(sent, Pass::First, 0, time),
                Some(Event::Again(sent)) => self.copy(sent, Pass::Requeued, 0, time),
                Some(Event::Held(sent, epoch, since)) => self.copy(sent, Pass::Held, epoch, since),
                Some(Event::Reflected(wire)) => self.give(&wire),
                Some(Event::Serve) if self.serves_at == Some(time) => self.serve(),
                Some(Event::Serve) | None => {}
            }
        }
    }

    fn give(&mut self, wire: &Wire) {
        let replies = self.stack.receive(self.now, wire);
        self.replies(replies);
        self.serve_at(self.now);
    }

    /// memcached looks no sooner than it usually does, at or after `time`.
    fn serve_at(&mut self, time: u64) {
        let time = (time.max(self.now + 1)).next_multiple_of(SERVER_PACE);
        if self.serves_at.is_none_or(|at| time < at) {
            self.serves_at = Some(time);
            self.at(time, Event::Serve);
        }
    }

    fn serve(&mut self) {
        self.serves_at = None;
        let busy = self.server.run(&mut self.stack, &self.connections);
        let replies = self.stack.poll(self.now);
        self.replies(replies);
        if busy {
            self.serve_at(self.now);
        } else if let Some(time) = self.stack.wakes_at(self.now) {
            self.serve_at(time);
        }
    }

    fn finish(&mut self, end: u32) {
        self.finished = Some(end);
        self.flow = None;
    }

    /// `commands::blocked`.
    fn withholds(&self, payload: &[u8]) -> bool {
        let mut bytes = [0; admin_command::LOOK];
        let length = payload.len().min(admin_command::LOOK);
        bytes[..length].copy_from_slice(&payload[..length]);
        admin_command::blocked(&bytes, payload.len() as u32) & self.blocked != 0
    }

    /// `tcp_copy::run`; `since` is when the copy was held first.
    fn copy(&mut self, sent: Sent, pass: Pass, epoch: u32, since: u64) {
        let segments = segments(&sent.payload);
        match pass {
            Pass::First => self.counts.arrived += segments,
            Pass::Held => self.counts.in_hold -= segments,
            Pass::Requeued => {}
        }
        let mut segment = Segment {
            seq: sent.seq,
            ack: sent.ack,
            flags: sent.flags,
            length: sent.payload.len() as u32,
            segments: segments as u32,
            waited: if pass == Pass::Held { self.now - since } else { 0 },
            blocked: self.blocked != 0 && self.withholds(&sent.payload),
            noted: false,
            isn: 0,
            start: Start::None,
            crlf: false,
            request_state: RequestState::default(),
        };
        if segment.flags & SYN != 0 {
            self.syn(segment.seq);
            self.counts.discarded += segments;
            return;
        }
        if !self.find(&mut segment, pass) {
            self.counts.discarded += segments;
            return;
        }
        let Some(flow) = &mut self.flow else { return };
        if pass == Pass::Held && epoch != flow.copy.epoch & MAX_ARGUMENT {
            self.counts.discarded += segments;
            return;
        }
        if copy::wants_start(&flow.copy, &segment, pass) {
            let mut head = [0; LOOK];
            let length = sent.payload.len().min(LOOK);
            head[..length].copy_from_slice(&sent.payload[..length]);
            segment.start = request_start::start(&head);
        }
        if copy::wants_evidence(&flow.copy, &segment, pass) {
            segment.crlf = sent.payload.ends_with(b"\r\n");
            segment.request_state =
                copy::request_state_from(&flow.copy, &segment).feed(&sent.payload);
        }
        let was_open = flow.copy.state == State::SYNCED;
        let verdict = copy::judge(flow, &segment, pass, self.now);
        self.counts.broken += usize::from(was_open && flow.copy.state == State::UNSYNCED);
        let epoch = flow.copy.epoch & MAX_ARGUMENT;
        let end = segment.seq.wrapping_add(segment.length);
        match verdict.action {
            Action::Deliver | Action::DeliverLast => {
                if verdict.action == Action::DeliverLast {
                    self.finish(end.wrapping_add(1));
                }
                let fin = if sent.flags & RST != 0 { FIN } else { 0 };
                let flags = ACK | sent.flags & (PSH | FIN) | fin;
                self.apply(&wire(sent.seq, verdict.number, flags, sent.payload), segments);
            }
            Action::Abort => {
                self.finish(end);
                self.apply(&wire(verdict.number, 0, RST, Vec::new()), segments);
            }
            Action::Open | Action::OpenAgain | Action::Adopt => {
                if verdict.action == Action::Open {
                    self.noted = None;
                }
                let syn = syn(verdict.number);
                self.at(self.now + BACKLOG_DELAY, Event::Again(sent));
                self.give(&syn);
            }
            Action::Requeue => self.at(self.now + BACKLOG_DELAY, Event::Again(sent)),
            Action::ResetFirst => {
                self.at(self.now + BACKLOG_DELAY, Event::Again(sent));
                self.give(&wire(verdict.number, 0, RST, Vec::new()));
            }
            Action::Hold => {
                self.hold(sent, epoch, if pass == Pass::Held { since } else { self.now });
            }
            Action::Discard => self.counts.discarded += segments,
            Action::Forget => {
                self.finish(end);
                self.counts.discarded += segments;
            }
            Action::ForgetSocket => {
                self.finish(segment.seq);
                self.counts.discarded += segments;
                self.give(&wire(verdict.number, 0, RST, Vec::new()));
            }
        }
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
        if let Some(note) = &mut self.noted {
            noted_syn::look_up(note, segment, self.now);
        }
    }

    /// `tcp_copy::find`: whether there is a flow for `segment` now.
    fn find(&mut self, segment: &mut Segment, pass: Pass) -> bool {
        if let Some(flow) = &self.flow {
            if copy::wants_noted(&flow.copy) {
                self.look_up(segment);
            }
            return true;
        }
        self.look_up(segment);
        if segment.length == 0 {
            if segment.flags & (RST | FIN) != 0 {
                self.noted = None;
            }
            return false;
        }
        if pass == Pass::Held || !segment.noted {
            let end = segment.seq.wrapping_add(segment.length);
            let straggler = self.finished.is_some_and(|finished| late(end, finished));
            if pass == Pass::Held || straggler {
                return false;
            }
        }
        assert!(
            !self.stack.has_connection(),
            "{:?}: a socket of the puppet's outlived its flow, and passes for a real client's",
            self.now
        );
        self.epoch = self.epoch.wrapping_add(CopySide::EPOCH_STEP);
        let mut flow = Flow::default();
        flow.copy.epoch = self.epoch;
        self.flow = Some(flow);
        true
    }

    fn apply(&mut self, wire: &Wire, segments: usize) {
        self.counts.applied += segments;
        self.give(wire);
    }

    fn hold(&mut self, sent: Sent, epoch: u32, since: u64) {
        for (leaves_at, sent) in self.hold_device.send(self.now, sent) {
            let segments = segments(&sent.payload);
            if let Some(time) = leaves_at {
                self.counts.in_hold += segments;
                self.at(time + BACKLOG_DELAY, Event::Held(sent, epoch, since));
            } else {
                self.counts.lost_in_hold += segments;
            }
        }
    }

    /// `egress::run`, for everything that the stack sends.
    fn replies(&mut self, replies: Vec<Wire>) {
        for wire in replies {
            if wire.flags & SYN != 0 {
                for handle in self.stack.opening() {
                    self.server.accept(handle, &self.connections, wire.ack);
                }
            }
            let Some(flow) = &mut self.flow else {
                assert!(self.finished.is_some(), "a reply left the host");
                if wire.flags & (ACK | RST) == ACK {
                    let reset = self::wire(wire.ack, 0, RST, Vec::new());
                    self.at(self.now + BACKLOG_DELAY, Event::Reflected(reset));
                }
                continue;
            };
            let seen = Reply {
                seq: wire.seq,
                ack: wire.ack,
                flags: wire.flags,
                window: wire.window,
                length: wire.payload.len() as u32,
                scale: u32::from(wire.scale.unwrap_or(0)),
            };
            let next_seq = flow.copy.next_seq;
            let verdict = reply::judge(flow, &seen, || self.now);
            match verdict.action {
                reply::Action::Pass => panic!("a reply left the host"),
                reply::Action::DropData | reply::Action::DropAck => {}
                reply::Action::DropReset | reply::Action::DropLast => self.finish(next_seq),
                reply::Action::Reflect | reply::Action::ReflectLast => {
                    if verdict.action == reply::Action::ReflectLast {
                        self.finish(next_seq);
                    }
                    let acknowledgement = self::wire(verdict.seq, verdict.ack, ACK, Vec::new());
                    self.at(self.now + BACKLOG_DELAY, Event::Reflected(acknowledgement));
                }
            }
        }
    }

    /// Whether nothing of the synthetic client's is left.
    pub(crate) fn is_clean(&self) -> bool {
        self.flow.is_none() && !self.stack.has_connection()
    }
}

fn wire(seq: u32, ack: u32, flags: u8, payload: Vec<u8>) -> Wire {
    Wire { seq, ack, flags, window: u16::MAX, scale: None, payload }
}

fn syn(seq: u32) -> Wire {
    Wire { scale: Some(14), ..wire(seq, 0, SYN, Vec::new()) }
}
