//! An honest server with room for one connection: its numbers are TCP's.

use mirror_common::{
    packet::tcp::{ACK, FIN, PSH, RST, SYN, after},
    target::reply::Reply,
};

use super::event::Event;

/// memcached's side of a connection.
struct Socket {
    /// Sequence number of the server's SYN.
    isn: u32,
    snd_nxt: u32,
    rcv_nxt: u32,
    /// Behind what the server has room for.
    edge: u32,
    /// Where the peer's stream began.
    began: u32,
    scale: u32,
    /// Since when it has not acknowledged what it was given.
    owes_since: Option<u64>,
    fin_sent: bool,
    fin_taken: bool,
    /// What it has behind a hole, from and to.
    ahead: Vec<(u32, u32)>,
}

#[derive(Default)]
pub(crate) struct Server {
    socket: Option<Socket>,
    connections: u32,
}

impl Server {
    /// Whether there is a socket that would answer.
    pub(crate) fn is_connected(&self) -> bool {
        self.socket.as_ref().is_some_and(|socket| !(socket.fin_sent && socket.fin_taken))
    }

    /// The connection is over on both sides.
    pub(crate) fn forget(&mut self) {
        assert!(!self.is_connected(), "a socket that nobody plays the client of");
        self.socket = None;
    }

    pub(crate) fn syn(&mut self, seq: u32) {
        let began = seq.wrapping_add(1);
        if let Some(socket) = &self.socket
            && self.is_connected()
        {
            assert_eq!(socket.began, began, "a SYN where a socket is");
            return;
        }
        self.connections += 1;
        // Every other connection's numbers wrap soon.
        let isn = if self.connections.is_multiple_of(2) { 900_000 } else { u32::MAX - 2000 };
        self.socket = Some(Socket {
            isn,
            snd_nxt: isn,
            rcv_nxt: began,
            edge: began,
            began,
            scale: 0,
            owes_since: None,
            fin_sent: false,
            fin_taken: false,
            ahead: Vec::new(),
        });
    }

    /// A copy's bytes from `seq` to `end`, the FIN at their end included. Returns whether the server acknowledges
    /// at once: it does so where there is a hole (RFC 5681, 4.2).
    pub(crate) fn deliver(&mut self, seq: u32, end: u32, ack: u32, fin: bool, now: u64) -> bool {
        let Some(socket) = &mut self.socket else { panic!("delivered without a socket") };
        assert_eq!(ack, socket.snd_nxt, "acknowledged");
        if !after(end, socket.rcv_nxt) {
            return false;
        }
        assert!(!after(end, socket.edge), "to {end}, beyond the window");
        socket.owes_since.get_or_insert(now);
        if after(seq, socket.rcv_nxt) {
            assert!(!fin, "an end behind a hole");
            socket.ahead.push((seq, end));
            return true;
        }
        socket.rcv_nxt = end;
        let hole = !socket.ahead.is_empty();
        if fin {
            // Nothing can be behind it (kernel: `tcp_fin`).
            socket.fin_taken = true;
            socket.ahead.clear();
        }
        while let Some(next) = socket.ahead.iter().position(|it| !after(it.0, socket.rcv_nxt)) {
            let (_, end) = socket.ahead.swap_remove(next);
            if after(end, socket.rcv_nxt) {
                socket.rcv_nxt = end;
            }
        }
        hole
    }

    pub(crate) fn reset(&mut self, seq: u32) {
        if self.is_connected()
            && let Some(socket) = &self.socket
        {
            assert_eq!(seq, socket.rcv_nxt, "where a reset has to hit");
        }
        self.socket = None;
    }

    /// The synthetic client acknowledges everything before `ack`.
    pub(crate) fn acknowledged(&self, ack: u32) {
        assert_eq!(Some(ack), self.socket.as_ref().map(|socket| socket.snd_nxt), "acknowledged");
    }

    /// Since when the server has owed an acknowledgement.
    pub(crate) fn owes_since(&self) -> Option<u64> {
        self.socket.as_ref().and_then(|socket| socket.owes_since)
    }

    /// An acknowledgement of all that was taken, if any is owed.
    pub(crate) fn acknowledge(&mut self) -> Option<Reply> {
        let socket = self.socket.as_mut().filter(|socket| socket.owes_since.is_some())?;
        Some(socket.send(0, ACK, 0))
    }

    /// What `event` makes the server send, if it can.
    pub(crate) fn reply(&mut self, event: &Event) -> Option<Reply> {
        let socket = self.socket.as_mut()?;
        let (length, window) = (u32::from(event.number(4)), event.number(6));
        match event.0[1] % 8 {
            0 => socket.syn_ack(u32::from(event.0[3]), window),
            7 => {
                let reset = socket.send(0, RST | ACK, 0);
                self.socket = None;
                Some(reset)
            }
            _ if socket.snd_nxt == socket.isn => None,
            1 | 2 if !socket.fin_sent => Some(socket.send(length, ACK | PSH, window)),
            3 if !socket.fin_sent => {
                socket.fin_sent = true;
                Some(socket.send(length & 15, ACK | FIN, window))
            }
            4 => Some(socket.send_again(length, window)),
            5 => {
                let behind = socket.send(0, ACK, window);
                Some(Reply { seq: behind.seq.wrapping_sub(1), ..behind })
            }
            _ => Some(socket.send(0, ACK, window)),
        }
    }
}

impl Socket {
    /// The next `length` bytes, and an acknowledgement of all that was taken.
    fn send(&mut self, length: u32, flags: u8, window: u16) -> Reply {
        let seq = self.snd_nxt;
        self.snd_nxt = seq.wrapping_add(length).wrapping_add(u32::from(flags & FIN != 0));
        self.owes_since = None;
        let edge = self.rcv_nxt.wrapping_add(u32::from(window) << self.scale);
        if after(edge, self.edge) {
            self.edge = edge;
        }
        // A window never shrinks.
        let window = self.edge.wrapping_sub(self.rcv_nxt) >> self.scale;
        Reply { seq, ack: self.rcv_nxt, flags, window: window as u16, length, scale: 0 }
    }

    /// Up to `length` of the bytes that were sent last.
    fn send_again(&mut self, length: u32, window: u16) -> Reply {
        let sent = self.snd_nxt.wrapping_sub(self.isn).wrapping_sub(1 + u32::from(self.fin_sent));
        let length = length.min(sent);
        let behind = self.send(0, ACK | PSH, window);
        let seq = behind.seq.wrapping_sub(length + u32::from(self.fin_sent));
        Reply { seq, length, ..behind }
    }

    /// The answer to the SYN, which may be sent again until something else is.
    fn syn_ack(&mut self, scale: u32, window: u16) -> Option<Reply> {
        if self.snd_nxt == self.isn {
            self.snd_nxt = self.isn.wrapping_add(1);
            self.scale = scale.min(14);
            self.edge = self.began.wrapping_add(u32::from(window));
        }
        let first = self.snd_nxt == self.isn.wrapping_add(1) && self.rcv_nxt == self.began;
        let (seq, ack) = (self.isn, self.began);
        first.then_some(Reply { seq, ack, flags: SYN | ACK, window, length: 0, scale })
    }
}
