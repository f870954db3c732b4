//! Sorts what arrives: copies, the mirror's own packets, direct clients, everything else.

use core::hint::black_box;

use mirror_common::{
    abi::{
        State, TargetCounter,
        mark::{self, Stage},
        served,
    },
    packet::{
        Packet, inspection,
        parse::{self, Headers, ParseError, TCP},
        seal, tcp,
    },
    target::{copy::Pass, reply},
};
use mirror_ebpf::{
    packet::skb::{NEXT, Skb},
    runtime::settings,
};

use crate::{fragment, maps, outcome, source_mac, tcp_copy, udp_copy};

#[inline(always)]
pub fn run(skb: Skb) -> i32 {
    let (pass, epoch) = match mark::unpack(skb.mark()) {
        Some((Stage::AckForClient, _)) => {
            skb.set_mark(0);
            // The reply may have left by another interface, whose link-layer address the acknowledgement is for.
            skb.take_for_this_host();
            maps::count(TargetCounter::AckInjected);
            return NEXT;
        }
        Some((Stage::Judged, _)) => {
            skb.set_mark(0);
            return NEXT;
        }
        Some((Stage::Requeued, _)) => (Pass::Requeued, 0),
        Some((Stage::Held, epoch)) => (Pass::Held, epoch),
        _ => (Pass::First, 0),
    };
    let Some(work) = maps::work() else {
        maps::count(TargetCounter::IngressOther);
        return NEXT;
    };
    match parse::headers(&skb) {
        Ok(headers) => work.headers = headers,
        Err(ParseError::Fragment) => return fragment::arrived(skb),
        Err(_) => {
            maps::count(TargetCounter::IngressOther);
            return NEXT;
        }
    }
    // Many ways lead here, and each leaves other numbers in registers. What follows reads them from memory, so that
    // the verifier goes through it once.
    let work = black_box(work);
    let headers = &work.headers;
    let service = maps::service(headers.dst_port_number());
    if headers.protocol == TCP {
        let Some(header) = skb.words(headers.l4).map(tcp::Header) else {
            maps::count(TargetCounter::IngressOther);
            return NEXT;
        };
        if seal::is_sealed_tcp(&header, settings::seal()) {
            if let Some(reason) = source_mac::refusal(skb, service) {
                let payload = headers.end.saturating_sub(headers.l4 + tcp::HEADER);
                return refuse(pass, skb.segments(payload), reason);
            }
            return tcp_copy::run(skb, work, &header, pass, epoch);
        }
        if service != served::NO {
            if seal::looks_sealed_tcp(&header) {
                // No stack sends such a segment, and ours drops it.
                let payload = headers.end.saturating_sub(headers.l4 + tcp::HEADER);
                maps::count_many(TargetCounter::ArrivedOtherMagic, skb.segments(payload));
                return NEXT;
            }
            real_tcp(skb, headers, &header);
            return NEXT;
        }
    } else if service != served::NO {
        return udp_copy::run(skb, headers, service);
    }
    maps::count(TargetCounter::IngressOther);
    NEXT
}

/// A sealed copy that is not welcome. The stack would drop it without a word; so do we.
#[inline(always)]
fn refuse(pass: Pass, segments: u64, reason: TargetCounter) -> i32 {
    outcome::count_pass(pass, segments);
    outcome::discard(reason, segments)
}

/// A direct client's segment. If it opens a connection on a mirrored 4-tuple, the mirror stands back.
#[inline(always)]
fn real_tcp(skb: Skb, headers: &Headers, header: &tcp::Header) {
    maps::count(match inspection::is_request(&skb, headers) {
        true => TargetCounter::InspectionIn,
        false => TargetCounter::DirectIn,
    });
    let flags = header.flags();
    if flags & (tcp::RST | tcp::ACK) == tcp::RST {
        return refused(headers, header);
    }
    if flags & tcp::SYN == 0 || flags & tcp::ACK != 0 {
        return;
    }
    let key = maps::key_of_copy(headers);
    // Or its replies are taken for those of a mirrored connection that ended.
    maps::clear_finished(&key);
    if let Some(flow) = maps::flow(&key)
        && flow.copy.state != State::DIRECT
    {
        flow.copy.state = State::DIRECT;
        maps::count(TargetCounter::DirectTakeover);
    }
}

/// A reset that acknowledges nothing. If it is of a client that was answered for a connection that is its copy's, this host's
/// answers leave unseen. It ends the socket, too.
#[inline(always)]
fn refused(headers: &Headers, header: &tcp::Header) {
    let key = maps::key_of_copy(headers);
    if let Some(flow) = maps::flow(&key)
        && reply::is_refused(flow, header.seq())
        && let Some(breaker) = maps::breaker()
    {
        maps::count(TargetCounter::ReplyLeaked);
        breaker.leaked = 1;
        maps::finish(&key, flow, flow.copy.next_seq);
    }
}
