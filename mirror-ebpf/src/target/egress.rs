//! What memcached's host sends: replies of mirrored flows are dropped or turned round, by flow and
//! never by port (UDP, which has no flows: by request); everything else passes untouched.

use mirror_common::{
    abi::{CopySide, Flow, FlowKey, ReplySide, State, TargetCounter, served},
    memcached::error_reply::{self, ErrorReply},
    packet::{
        inspection,
        parse::{self, Headers, ParseError, TCP},
        tcp,
    },
    target::{
        breaker,
        reply::{self, Action, Reply},
    },
};
use mirror_ebpf::{
    packet::{
        leaving::Leaving,
        skb::{HelperError, NEXT, drop_silently, to_ingress},
    },
    runtime::{clock, settings},
};

use crate::{classify, fragment, icmp, maps, segment};

#[inline(always)]
pub fn run<P: Leaving>(packet: P) -> i32 {
    if parse::plain_ports(&packet).is_some_and(|(from, _)| maps::service(from) == served::NO) {
        maps::count(TargetCounter::EgressOther);
        return NEXT;
    }
    let headers = match parse::headers(&packet) {
        Ok(headers) if maps::service(headers.src_port_number()) != served::NO => headers,
        Err(ParseError::Fragment) => return fragment::leaves(packet),
        Err(ParseError::Protocol) => return icmp::run(packet),
        _ => {
            maps::count(TargetCounter::EgressOther);
            return NEXT;
        }
    };
    let key = maps::key_of_reply(&headers);
    if headers.protocol != TCP {
        return reply_udp(packet, &headers, key);
    }
    let Some(flow) = maps::flow(&key) else {
        if maps::finished(&key).is_some() {
            return reply_finished(packet, &headers);
        }
        maps::count(match inspection::is_port(headers.dst_port) {
            true => TargetCounter::InspectionOut,
            false => TargetCounter::DirectOut,
        });
        return NEXT;
    };
    reply_tcp(packet, &headers, &key, flow)
}

/// Makes the synthetic client's answer of a reply.
#[inline(always)]
fn reflect<P: Leaving>(
    packet: P,
    headers: &Headers,
    flags: u8,
    seq: u32,
    ack: u32,
) -> Result<(), HelperError> {
    segment::reflect(packet.with_ethernet()?, headers, flags, seq, ack)
}

/// A datagram to a mirrored client: passes only if the client itself asked this host.
#[inline(always)]
fn reply_udp<P: Leaving>(packet: P, headers: &Headers, key: FlowKey) -> i32 {
    if classify::is_mirrored_udp(&packet, headers, key) {
        // Behind UDP's header and memcached's frame header.
        if let Some(error) = error_reply::at(&packet, headers.l4 + 16) {
            count_error(error);
        }
        maps::count(TargetCounter::ReplyUdp);
        return drop_silently();
    }
    maps::count(TargetCounter::DirectOut);
    NEXT
}

/// A reply of a flow that ended. A socket that is left, since the reset that was to end it missed, is ended by one
/// that cannot: at the number that its own reply asks for (RFC 9293, 3.10.7.4).
#[inline(always)]
fn reply_finished<P: Leaving>(packet: P, headers: &Headers) -> i32 {
    maps::count(TargetCounter::ReplyFinished);
    let Some(header) = packet.words(headers.l4).map(tcp::Header) else { return drop_silently() };
    let speaks = header.flags() & (tcp::ACK | tcp::RST) == tcp::ACK;
    if speaks && reflect(packet, headers, tcp::RST, header.ack(), 0).is_ok() {
        maps::count(TargetCounter::AckedForClient);
        return to_ingress(settings::ifindex());
    }
    drop_silently()
}

/// Counts what the new memcached refuses.
#[inline(always)]
fn count_error(error: ErrorReply) {
    maps::count(match error {
        ErrorReply::TooManyClients => TargetCounter::ErrorTooManyClients,
        ErrorReply::Unauthenticated => TargetCounter::ErrorUnauthenticated,
        ErrorReply::OutOfMemory => TargetCounter::ErrorOutOfMemory,
        ErrorReply::TooLarge => TargetCounter::ErrorTooLarge,
        ErrorReply::BadChunk => TargetCounter::ErrorBadChunk,
        ErrorReply::Other => TargetCounter::ErrorOther,
    });
}

#[inline(always)]
fn reply_tcp<P: Leaving>(packet: P, headers: &Headers, key: &FlowKey, flow: &mut Flow) -> i32 {
    if flow.copy.state == State::DIRECT {
        maps::count(TargetCounter::DirectOut);
        return NEXT;
    }
    let Some(header) = packet.words(headers.l4).map(tcp::Header) else {
        maps::count(TargetCounter::ReplyMalformed);
        return drop_silently();
    };
    let payload_at = headers.l4 + header.length();
    if header.length() < tcp::HEADER || payload_at > headers.end {
        maps::count(TargetCounter::ReplyMalformed);
        return drop_silently();
    }
    let scale = if header.flags() & tcp::SYN != 0 {
        segment::window_scale(&packet, headers, &header)
    } else {
        0
    };
    let seen = Reply {
        seq: header.seq(),
        ack: header.ack(),
        flags: header.flags(),
        window: header.window(),
        length: headers.end - payload_at,
        scale,
    };
    let verdict = reply::judge(flow, &seen, clock::now);
    // A refusal is an answer, too: memcached may be down.
    if seen.flags & (tcp::SYN | tcp::RST) != 0
        && let Some(breaker) = maps::breaker()
    {
        breaker::answered(breaker);
    }
    if verdict.action == Action::Pass {
        maps::count(TargetCounter::DirectOut);
        return NEXT;
    }
    if matches!(verdict.action, Action::DropReset | Action::DropLast | Action::ReflectLast) {
        maps::finish(key, flow, flow.copy.next_seq);
    }
    let counter = match verdict.action {
        Action::DropData => {
            // Not of what is sent again. An error is not so large as to be acknowledged at once.
            if let Some(error) = error_reply::at(&packet, payload_at) {
                count_error(error);
                // Of a connection that began here, the client may yet say who it is.
                if error == ErrorReply::Unauthenticated && flow.copy.has(CopySide::BIT_ADOPTED) {
                    flow.reply.bits |= ReplySide::BIT_UNAUTHENTICATED;
                }
            }
            TargetCounter::ReplyData
        }
        Action::DropAck | Action::DropLast => TargetCounter::ReplyAck,
        Action::DropReset => TargetCounter::ReplyReset,
        Action::Pass | Action::Reflect | Action::ReflectLast => {
            if reflect(packet, headers, tcp::ACK, verdict.seq, verdict.ack).is_ok() {
                maps::count(TargetCounter::AckedForClient);
                return to_ingress(settings::ifindex());
            }
            TargetCounter::ReplyMalformed
        }
    };
    maps::count(counter);
    drop_silently()
}
