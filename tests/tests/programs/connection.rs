//! One mirrored connection, whose segments the rows bring one by one.

use std::net::SocketAddr;

use mirror_tests::craft::{ACK, Body, FIN, PSH, Packet, RST, SYN, Segment};

use crate::{
    marks::REFLECTED,
    place::client,
    synthetic_client,
    table::{Fate, In, Table},
    target::{Target, sealed},
};

/// What rows count the client's stream from. Its SYN is one before, and the byte that opens the connection is here.
pub(crate) const ISN: u32 = 0xffff_fff0;
/// That byte: less than any request.
const OPENER: &[u8] = b"\r";
/// Sequence number of the new server's SYN.
pub(crate) const SERVER_ISN: u32 = 0x1000_0000;
/// What the client acknowledges to the old server.
pub(crate) const PRODUCTION: u32 = 0x7000_0000;
/// What the client's SYN asks for: MSS, SACK, timestamps, window scale.
const SYN_OPTIONS: [u8; 20] = [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 8];
/// NOP, NOP, timestamps.
const OPTIONS: [u8; 12] = [1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 8];
/// MSS; a window scale of 7.
const SYN_ACK_OPTIONS: [u8; 8] = [2, 4, 5, 0xb4, 1, 3, 3, 7];

/// A connection of a client that nobody has heard of before.
pub(crate) struct Connection<'a> {
    target: &'a Target,
    /// Headers of what the client sends.
    headers: Packet,
}

impl<'a> Connection<'a> {
    /// To `server`, without tags, options and extension headers.
    pub(crate) fn new(target: &'a Target, server: SocketAddr) -> Self {
        let headers = Packet::tcp(client(server), server, Segment::default());
        Self::with_headers(target, &headers)
    }

    /// Of a client to which there is no way.
    pub(crate) fn to_nowhere(target: &'a Target, server: SocketAddr) -> Self {
        let mut it = Self::new(target, server);
        it.headers.from.set_ip([203, 0, 113, 9].into());
        it
    }

    /// In headers like these.
    pub(crate) fn with_headers(target: &'a Target, like: &Packet) -> Self {
        let headers = Packet { from: target.new_client(like.to), ..like.clone() };
        Self { target, headers }
    }

    /// Address and port of the client.
    pub(crate) fn client(&self) -> SocketAddr {
        self.headers.from
    }

    /// What the client sends, `ahead` of its SYN.
    pub(crate) fn sent(&self, flags: u8, ahead: u32, payload: &[u8]) -> Packet {
        let options = if flags & SYN == 0 { OPTIONS.to_vec() } else { SYN_OPTIONS.to_vec() };
        let segment = Segment {
            seq: ISN.wrapping_add(ahead),
            ack: if flags & ACK == 0 { 0 } else { PRODUCTION },
            flags,
            window: 501,
            urgent: 0,
            options,
            payload: payload.to_vec(),
        };
        Packet { body: Body::Tcp(segment), ..self.headers.clone() }
    }

    /// What the new server answers, `ahead` of its SYN and when it has so much of the client's.
    pub(crate) fn reply(&self, flags: u8, ahead: u32, taken: u32, payload: &[u8]) -> Packet {
        let options = if flags & SYN == 0 { Vec::new() } else { SYN_ACK_OPTIONS.to_vec() };
        let segment = Segment {
            seq: SERVER_ISN.wrapping_add(ahead),
            ack: ISN.wrapping_add(taken),
            flags,
            window: 500,
            urgent: 0,
            options,
            payload: payload.to_vec(),
        };
        let Packet { from, to, .. } = self.headers;
        Packet { from: to, to: from, body: Body::Tcp(segment), ..self.headers.clone() }
    }

    /// The copy of a packet arrives.
    pub(crate) fn copied(
        &self,
        table: &mut Table<'_>,
        what: &str,
        packet: &Packet,
        fate: &Fate,
        counts: &str,
    ) -> u32 {
        let what = format!("{:?}: {what}", self.headers.from);
        table.row(&what, &self.target.ingress, sealed(packet).bytes(), fate, counts)
    }

    /// It arrives, and is dropped.
    pub(crate) fn discarded(
        &self,
        table: &mut Table<'_>,
        what: &str,
        packet: &Packet,
        counts: &str,
    ) {
        self.copied(table, what, packet, &Fate::Dropped, &format!("arrived {counts}"));
    }

    /// It arrives, and is given to the stack; the synthetic client acknowledges what is `ahead` of the server's
    /// SYN.
    pub(crate) fn delivered(&self, table: &mut Table<'_>, what: &str, packet: &Packet, ahead: u32) {
        let fate = Self::as_delivered(packet, ahead);
        self.copied(table, what, packet, &fate, "arrived applied");
    }

    /// What becomes of a packet that is given to the stack.
    pub(crate) fn as_delivered(packet: &Packet, ahead: u32) -> Fate {
        let delivered = synthetic_client::delivered(packet, SERVER_ISN.wrapping_add(ahead));
        Fate::Becomes(delivered.bytes(), 0)
    }

    /// It arrives, and becomes the reset that ends the synthetic client's socket, `ahead` of the client's SYN.
    pub(crate) fn aborted(&self, table: &mut Table<'_>, what: &str, packet: &Packet, ahead: u32) {
        let reset = synthetic_client::reset(packet, ISN.wrapping_add(ahead));
        let fate = Fate::Becomes(reset.bytes(), 0);
        self.copied(table, what, packet, &fate, "arrived reset closed applied");
    }

    /// It arrives, and waits in the hold device, with the mark that is returned.
    pub(crate) fn held(&self, table: &mut Table<'_>, what: &str, packet: &Packet) -> u32 {
        let fate = Fate::Held(sealed(packet).bytes());
        self.copied(table, what, packet, &fate, "arrived held")
    }

    /// A copy comes back from the hold device.
    pub(crate) fn returned(
        &self,
        table: &mut Table<'_>,
        what: &str,
        (packet, mark): (&Packet, u32),
        fate: &Fate,
        counts: &str,
    ) {
        let what = format!("{:?}: {what}", self.headers.from);
        let input = In::marked(sealed(packet).bytes(), mark);
        table.row(&what, &self.target.ingress, input, fate, &format!("released {counts}"));
    }

    /// A copy comes out at the far end of the hold device, and is judged there.
    pub(crate) fn comes_out(
        &self,
        table: &mut Table<'_>,
        what: &str,
        (packet, mark): (&Packet, u32),
        fate: &Fate,
        counts: &str,
    ) {
        let what = format!("{:?}: {what}", self.headers.from);
        let input = In::marked(sealed(packet).bytes(), mark);
        table.row(&what, &self.target.hold, input, fate, &format!("released {counts}"));
    }

    /// The client itself sends a packet to this host.
    pub(crate) fn really_sent(
        &self,
        table: &mut Table<'_>,
        what: &str,
        packet: &Packet,
        counts: &str,
    ) {
        let what = format!("{:?}: {what}", self.headers.from);
        table.row(&what, &self.target.ingress, packet.bytes(), &Fate::Passes, counts);
    }

    /// The new server answers.
    pub(crate) fn replied(
        &self,
        table: &mut Table<'_>,
        what: &str,
        frame: Vec<u8>,
        fate: &Fate,
        counts: &str,
    ) {
        let what = format!("{:?}: {what}", self.headers.from);
        table.row(&what, &self.target.egress, frame, fate, counts);
    }

    /// It answers, and the reply ends there.
    pub(crate) fn swallowed(
        &self,
        table: &mut Table<'_>,
        what: &str,
        packet: &Packet,
        counts: &str,
    ) {
        self.replied(table, what, packet.bytes(), &Fate::Diverted, counts);
    }

    /// It answers though the flow has ended, and the reply becomes the reset that ends its socket.
    pub(crate) fn ended(&self, table: &mut Table<'_>, what: &str, packet: &Packet) {
        let fate = Fate::Redirected(synthetic_client::reset_back(packet), REFLECTED);
        self.replied(table, what, packet.bytes(), &fate, "acked_for_client reply_dropped_finished");
    }

    /// It answers, and the reply becomes the synthetic client's acknowledgement of what is `ahead` of the server's
    /// SYN.
    pub(crate) fn acked_for_client(
        &self,
        table: &mut Table<'_>,
        what: &str,
        packet: &Packet,
        ahead: u32,
        counts: &str,
    ) {
        let back = synthetic_client::acknowledgement(packet, SERVER_ISN.wrapping_add(ahead));
        let fate = Fate::Redirected(back, REFLECTED);
        self.replied(table, what, packet.bytes(), &fate, &format!("acked_for_client {counts}"));
    }

    /// The client's SYN.
    pub(crate) fn syn(&self) -> Packet {
        self.sent(SYN, 0u32.wrapping_sub(1), b"")
    }

    /// A SYN by which the client uses the 4-tuple again.
    pub(crate) fn another_syn(&self) -> Packet {
        let mut syn = self.syn();
        syn.segment().seq = 0x4000_0000;
        syn
    }

    /// The server's.
    pub(crate) fn syn_ack(&self) -> Packet {
        self.reply(SYN | ACK, 0, 0, b"")
    }

    /// `payload` from the client.
    pub(crate) fn data(&self, ahead: u32, payload: &[u8]) -> Packet {
        self.sent(ACK | PSH, ahead, payload)
    }

    /// What the client's stream begins with.
    pub(crate) fn opener(&self) -> Packet {
        self.data(0, OPENER)
    }

    /// The first byte behind the client's SYN opens the connection. It goes round until the SYN-ACK comes.
    pub(crate) fn opens(&self, table: &mut Table<'_>) {
        self.noted(table, "the SYN", &self.syn());
        let opener = self.opener();
        let fate = Fate::Becomes(synthetic_client::syn_before(&opener).bytes(), 0);
        table.one_goes_round();
        self.copied(table, "the first byte", &opener, &fate, "arrived opened");
    }

    /// The client uses the 4-tuple again, which its first byte shows: that resets the connection before, where there is one
    /// that was given `ahead`, and opens the next. The server refuses it.
    pub(crate) fn opens_next(&self, table: &mut Table<'_>, ahead: Option<u32>, counts: &str) {
        self.noted(table, "another SYN", &self.another_syn());
        let next = self.behind(&self.another_syn());
        let becomes = match ahead {
            Some(ahead) => synthetic_client::reset(&next, ISN.wrapping_add(ahead)),
            None => synthetic_client::syn_before(&next),
        };
        table.one_goes_round();
        let fate = Fate::Becomes(becomes.bytes(), 0);
        self.copied(table, "what is behind it", &next, &fate, &format!("arrived opened {counts}"));
        let refusal = self.reply(RST | ACK, 0, 0, b"");
        self.swallowed(table, "a refusal", &refusal, "closed reply_dropped_reset");
        table.it_ends("discarded_stale");
    }

    /// The first byte behind a SYN.
    pub(crate) fn behind(&self, syn: &Packet) -> Packet {
        let mut packet = self.opener();
        packet.segment().seq = syn.clone().segment().seq.wrapping_add(1);
        packet
    }

    /// A SYN comes, and opens nothing.
    pub(crate) fn noted(&self, table: &mut Table<'_>, what: &str, syn: &Packet) {
        self.discarded(table, what, syn, "discarded_syn");
    }

    /// The SYN-ACK comes, and what waits for it is given to the server.
    pub(crate) fn answered_by(&self, table: &mut Table<'_>, what: &str, syn_ack: &Packet) {
        self.acked_for_client(table, what, syn_ack, 1, "applied");
        table.none_goes_round();
    }

    /// The server ends the connection, and then the client does.
    pub(crate) fn ends(&self, table: &mut Table<'_>) {
        self.acked_for_client(table, "the server's FIN", &self.reply(ACK | FIN, 1, 1, b""), 2, "");
        let fin = self.sent(ACK | FIN, 1, b"");
        let fate = Self::as_delivered(&fin, 2);
        self.copied(table, "the client's FIN", &fin, &fate, "arrived closed applied");
        self.ended(table, "the last ACK", &self.reply(ACK, 2, 2, b""));
    }

    /// A request of 14 bytes, directly behind the SYN, which the server has.
    pub(crate) fn asks(&self, table: &mut Table<'_>, request: &Packet) {
        self.delivered(table, "a request", request, 1);
        let ack = self.reply(ACK, 1, 15, b"");
        self.swallowed(table, "the server's ACK", &ack, "reply_dropped_ack");
    }

    /// SYN and SYN-ACK.
    pub(crate) fn shakes_hands(&self, table: &mut Table<'_>) {
        self.opens(table);
        self.is_served(table);
    }

    /// The SYN-ACK, and the server's acknowledgement of the first byte.
    pub(crate) fn is_served(&self, table: &mut Table<'_>) {
        self.answered_by(table, "the SYN-ACK", &self.syn_ack());
        let ack = self.reply(ACK, 1, 1, b"");
        self.swallowed(table, "the server's first ACK", &ack, "reply_dropped_ack");
    }
}
