//! Whether what this host answers is seen before it leaves: asked for each connection before it is opened and, as routes
//! change, for open ones now and then; for each datagram.

use mirror_common::{abi::TargetCounter, packet::parse::Headers, target::breaker};
use mirror_ebpf::{
    packet::{
        route::{self, Question, Way},
        skb::Skb,
    },
    runtime::settings,
};

use crate::maps;

/// Refuses a connection to whose client the routing tables have no way, or one by an interface without our program; and
/// where answers were not seen of late.
#[inline(never)]
pub fn check(skb: Skb, headers: &Headers, now: u64) -> Result<(), TargetCounter> {
    if !skb.is_for_another_host() {
        by_routes(skb, headers)?;
    }
    if let Some(breaker) = maps::breaker() {
        if !breaker::may_open(breaker, now) {
            return Err(TargetCounter::DiscardedUnanswered);
        }
        breaker::opened(breaker, now);
    }
    Ok(())
}

/// Refuses to go on: the way is not what it was, or a client has refused an answer.
#[inline(never)]
pub fn still(skb: Skb, headers: &Headers) -> Result<(), TargetCounter> {
    if maps::breaker().is_some_and(|breaker| breaker.leaked != 0) {
        return Err(TargetCounter::DiscardedUnanswered);
    }
    if skb.is_for_another_host() { Ok(()) } else { by_routes(skb, headers) }
}

/// Asks the routing tables. They say nothing of what a bridge or macvlan takes to somebody else by link-layer address.
#[inline(always)]
fn by_routes(skb: Skb, headers: &Headers) -> Result<(), TargetCounter> {
    match route::ask(skb, settings::hold_ifindex(), &Question::back(headers)) {
        Way::Known(hop) | Way::Unresolved(hop) if maps::is_way(hop.ifindex()) => Ok(()),
        // The hold device does not forward. What leaves unseen is noticed by the breaker.
        Way::NotAsked => Ok(()),
        // To this host itself, among others: nothing of its own reaches it by a wire.
        Way::Known(_) | Way::Unresolved(_) | Way::TooLarge(_) | Way::None => {
            Err(TargetCounter::DiscardedNoWayBack)
        }
    }
}
