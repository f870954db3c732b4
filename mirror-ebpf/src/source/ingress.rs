//! Decides which packets are copied, and makes one clone of each.
//!
//! The production packet's bytes are never written; its mark and token are set while the clone is made
//! and put back. A clone goes to the copy device, whose egress (`copy_device.rs`) does the work, so that
//! production's packet pays for one clone however many targets there are, and a clone that meets no program of ours
//! ends.

use mirror_common::{
    abi::{
        MappingCounter, SourceCounter,
        mark::{self, Stage},
    },
    packet::{
        Packet, inspection, mptcp,
        parse::{self, Headers, ParseError, TCP},
        seal, tcp,
    },
};
use mirror_ebpf::{
    packet::{
        segmentation::UDP_HEADER,
        skb::{DROP, NEXT, Skb},
    },
    runtime::settings,
};

use crate::{
    icmp,
    maps::{self, Arrived},
    rate_limit::Charge,
    select,
    taken::{self, Content},
};

#[inline(always)]
pub fn run(skb: Skb) -> i32 {
    let (Ok(outcome) | Err(outcome)) = mirror(skb);
    if outcome == SourceCounter::SkippedProtocol && icmp::is_about_a_copy(skb) {
        maps::count_seen(SourceCounter::DroppedIcmp);
        return DROP;
    }
    maps::count_seen(outcome);
    NEXT
}

/// What became of the packet; as an error where something stopped it on the way.
#[inline(always)]
fn mirror(skb: Skb) -> Result<SourceCounter, SourceCounter> {
    let (mark, tokens) = (skb.mark(), [skb.token(), skb.copy_id()]);
    if mark::unpack(mark).is_some() {
        return Err(SourceCounter::SkippedOwn);
    }
    // Once for each packet: whatever it says holds for all that is done with this one.
    let generation = maps::generation();
    if parse::plain_ports(&skb).is_some_and(|(_, to)| maps::port(generation, to).is_none()) {
        return Err(SourceCounter::SkippedPort);
    }
    // Never without, since the array has its one entry.
    let Arrived { headers, room } = maps::arrived().ok_or(SourceCounter::FailedMalformed)?;
    maps::parse_into(skb, headers).map_err(|reason| match reason {
        ParseError::NotIp => SourceCounter::SkippedNotIp,
        ParseError::Protocol => SourceCounter::SkippedProtocol,
        ParseError::Fragment => SourceCounter::SkippedFragment,
        ParseError::Malformed => SourceCounter::FailedMalformed,
    })?;
    let slot =
        maps::port(generation, headers.dst_port_number()).ok_or(SourceCounter::SkippedPort)?;
    let headers: &Headers = headers;
    let index = maps::find(slot, headers, |_| true).ok_or(SourceCounter::SkippedAddress)?;
    let content = admit(skb, headers)?;
    let selection = select::take(generation, headers)?;
    if settings::forwarded() == 0 {
        taken::check(skb, headers, content, room)?;
    }
    let charge = Charge::of(skb, headers, selection);
    if selection.dry_run != 0 {
        select::count_only(skb, headers, slot, (selection, charge));
        return Ok(SourceCounter::DryRun);
    }
    let index = charge.first(slot, headers, index).ok_or(SourceCounter::SkippedRateLimit)?;

    skb.set_mark(mark::pack(Stage::FanOut, mark::pack_fan_out(generation, index)));
    skb.set_token(mark::TOKEN);
    skb.set_copy_id(0);
    let cloned = skb.clone_to_egress(settings::copy_ifindex());
    skb.set_mark(mark);
    skb.set_token(tokens[0]);
    skb.set_copy_id(tokens[1]);
    cloned.map_err(|_| SourceCounter::FailedClone)?;
    maps::count_mapping(index, MappingCounter::Copies, 1);
    Ok(SourceCounter::Mirrored)
}

/// Whether the packet can be copied at all; what it is.
#[inline(always)]
fn admit(skb: Skb, headers: &Headers) -> Result<Content, SourceCounter> {
    if headers.protocol == TCP {
        let header = tcp::Header(skb.words(headers.l4).ok_or(SourceCounter::FailedMalformed)?);
        if header.length() < tcp::HEADER || headers.l4 + header.length() > headers.end {
            return Err(SourceCounter::FailedMalformed);
        }
        if seal::is_sealed_tcp(&header, settings::seal()) || seal::looks_sealed_tcp(&header) {
            return Err(SourceCounter::SkippedSealed);
        }
        if inspection::is_request(&skb, headers) {
            return Err(SourceCounter::SkippedInspection);
        }
        if header.flags() & tcp::URG != 0 {
            return Err(SourceCounter::SkippedUrgent);
        }
        let payload = headers.end - headers.l4 - header.length();
        let multipath = mptcp::subtype(&skb, headers.l4, header.length());
        if mptcp::is_skipped(multipath, header.flags(), payload) {
            return Err(SourceCounter::SkippedMptcp);
        }
        return Ok(Content { flags: header.flags(), ack: header.ack(), payload });
    }
    // The kernel writes each datagram's length anew when it cuts them apart (`__udp_gso_segment`), and the
    // length is what a copy is sealed by.
    if skb.is_super_packet() {
        return Err(SourceCounter::SkippedUdpSuper);
    }
    // UDP header and memcached's frame header (protocol.txt, "UDP protocol").
    let datagram: [u32; 4] = skb.words(headers.l4).ok_or(SourceCounter::FailedMalformed)?;
    let length = (headers.end - headers.l4) as u16;
    let field = (u32::from_be(datagram[1]) >> 16) as u16;
    let last = u32::from_be(datagram[3]);
    if seal::is_sealed_udp(field, length, last as u16, settings::seal()) {
        return Err(SourceCounter::SkippedSealed);
    }
    if field != length {
        return Err(SourceCounter::FailedMalformed);
    }
    if last >> 16 != 1 {
        return Err(SourceCounter::SkippedUdpMulti);
    }
    let payload = headers.end.saturating_sub(headers.l4 + UDP_HEADER);
    Ok(Content { flags: 0, ack: 0, payload })
}
