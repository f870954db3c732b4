//! Whether this host takes a packet, asked of its sockets and routes at the moment at which the packet arrives.

use mirror_common::{
    abi::SourceCounter,
    packet::{
        parse::{Headers, TCP},
        tcp::SYN,
    },
    source::taken::{Socket, acknowledges_a_part},
};
use mirror_ebpf::packet::{
    route::{self, Question, Way},
    skb::Skb,
    socket::{self, Room},
};

/// What a packet is, so far as sockets care: TCP's flags and acknowledgement number, and how many bytes follow the
/// transport header.
#[derive(Clone, Copy)]
pub struct Content {
    pub flags: u8,
    pub ack: u32,
    pub payload: u32,
}

/// Refuses what this host only passes on, or does not take.
#[inline(always)]
pub fn check(
    skb: Skb,
    headers: &Headers,
    content: Content,
    room: &mut Room,
) -> Result<(), SourceCounter> {
    if headers.protocol == TCP {
        let found = socket::tcp_state_and_end(skb, headers);
        let (state, end) = (found as u32, (found >> 32) as u32);
        let socket = Socket::of_state(state);
        let taken = socket.takes(content.flags, content.payload)
            || socket == Socket::Listens
                && content.payload > 0
                && socket::has_cookie(skb, headers, room);
        if !taken {
            return Err(SourceCounter::SkippedNoSocket);
        }
        // Without its end, it only begins.
        if end != 0 && acknowledges_a_part(content.flags, content.payload, content.ack, end) {
            return Err(SourceCounter::SkippedPartialAck);
        }
        if content.flags & SYN == 0 {
            // No connection that passes by has a socket here.
            return Ok(());
        }
    } else if !socket::takes_datagram(skb, headers) {
        return Err(SourceCounter::SkippedNoSocket);
    }
    // A socket for any address looks like one for another host's.
    if passes_by(skb, headers) { Err(SourceCounter::SkippedForwarded) } else { Ok(()) }
}

/// Whether the packet is on its way to another host. Where the interface does not forward, none is.
#[inline(never)]
fn passes_by(skb: Skb, headers: &Headers) -> bool {
    if skb.is_for_another_host() {
        return true;
    }
    let way = route::ask(skb, skb.ifindex(), &Question::on(headers));
    matches!(way, Way::Known(_) | Way::Unresolved(_) | Way::TooLarge(_))
}
