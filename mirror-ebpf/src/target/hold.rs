//! The hold device: a veth pair whose near end has a slow queue.
//!
//! A copy that cannot be delivered yet goes in at the near end, waits in the queue, and comes out at the far end.
//! It stays sealed all the while. The kernel has one CPU at a time take what comes out, in order, so that is where
//! the copies of a connection that is being fed are judged again: on their way to the real interface they could
//! overtake each other. TCP can put in order what is given to it from there. What may need a segment made for it,
//! or belongs to a connection that is watched, goes back to the real interface.

use mirror_common::{
    abi::{
        State, TargetCounter,
        mark::{self, Stage},
    },
    packet::{
        Packet,
        parse::{self, TCP},
        seal, tcp,
    },
    target::copy::Pass,
};
use mirror_ebpf::{
    packet::skb::{DROP, Skb, to_ingress},
    runtime::settings,
};

use crate::{
    maps::{self, Work},
    source_mac, tcp_copy,
};

/// Verdict at the far end.
#[inline(always)]
pub fn back(skb: Skb) -> i32 {
    let Some((Stage::Held, epoch)) = mark::unpack(skb.mark()) else {
        // The kernel's own packets on a new interface.
        maps::count(TargetCounter::IngressOther);
        return DROP;
    };
    if let Some(work) = maps::work()
        && let Some(sealed) = find(skb, work)
    {
        return tcp_copy::run(skb, work, &sealed, Pass::Held, epoch);
    }
    to_ingress(settings::ifindex())
}

/// The sealed header of a copy that can be judged here.
#[inline(always)]
fn find(skb: Skb, work: &mut Work) -> Option<tcp::Header> {
    work.headers = parse::headers(&skb).ok()?;
    let sealed = tcp::Header(skb.words(work.headers.l4)?);
    let service = maps::service(work.headers.dst_port_number());
    let plain = seal::unseal_tcp(&sealed);
    let is_fed = work.headers.protocol == TCP
        && seal::is_sealed_tcp(&sealed, settings::seal())
        && plain.flags() & tcp::SYN == 0
        && source_mac::refusal(skb, service).is_none()
        && maps::flow(&maps::key_of_copy(&work.headers))?.copy.state == State::SYNCED;
    is_fed.then_some(sealed)
}
