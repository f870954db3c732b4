//! What seeds become: clients' plans, networks, hosts.

use std::ops::Range;

use proptest::{collection::vec, prelude::*};

use crate::{
    Host, REACH,
    client::{Ending, Pace, Plan},
    requests::{Protocol, Request, Value},
};

/// Written one by one, each when the reply to the one before is there.
pub(crate) const fn one_by_one(pause: u64) -> Pace {
    Pace { pause, joined: 1, behind: 0 }
}

/// Any request.
fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        3 => (5u32..5000).prop_map(|reply| Request::Get { reply }),
        6 => (value(), prop::bool::weighted(0.3))
            .prop_map(|(value, quiet)| Request::Set { value, quiet }),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => (0usize..3000).prop_map(Value::Plain),
        1 => (10_000usize..40_000).prop_map(Value::Plain),
        3 => (1usize..6).prop_map(Value::Mimic),
    ]
}

/// A request of few segments that is replied to.
pub(crate) fn small_request() -> impl Strategy<Value = Request> {
    let value =
        prop_oneof![(0usize..300).prop_map(Value::Plain), (1usize..4).prop_map(Value::Mimic)];
    prop_oneof![
        (5u32..5000).prop_map(|reply| Request::Get { reply }),
        value.prop_map(|value| Request::Set { value, quiet: false }),
    ]
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        Just(Ending::Nothing),
        Just(Ending::Fin),
        Just(Ending::FinWithData),
        Just(Ending::Reset)
    ]
}

/// A sequence number, near the end of the number space often enough.
pub(crate) fn number() -> impl Strategy<Value = u32> {
    prop_oneof![2 => any::<u32>(), 1 => (0u32..9000).prop_map(|back| u32::MAX - back)]
}

fn mss() -> impl Strategy<Value = usize> {
    prop_oneof![3 => 100usize..1460, 1 => 2000usize..20_000]
}

/// A connection whose client waits for each reply.
pub(crate) fn plan(requests: Range<usize>) -> impl Strategy<Value = Plan> {
    let protocol = prop_oneof![Just(Protocol::Text), Just(Protocol::Binary)];
    let numbers = (number(), number());
    (numbers, protocol, vec(request(), requests), mss(), 150u64..3000, 0usize..6, ending())
        .prop_map(|((isn, ack), protocol, mut requests, mss, pause, resends, ending)| {
            // What waits is judged over and over, so that many segments out of order take long.
            for request in &mut requests {
                if let Request::Set { value: Value::Plain(length), .. } = request {
                    *length = (*length).min(40 * mss);
                }
            }
            let pace = one_by_one(pause);
            Plan { isn, ack, protocol, requests, pace, mss, resends, ending, rests_before: None }
        })
}

/// The pace of a client that does not wait for each reply.
pub(crate) fn pipelining() -> impl Strategy<Value = Pace> {
    (20u64..3000, 1usize..8, 0usize..5).prop_map(|(pause, joined, behind)| Pace {
        pause,
        joined,
        behind,
    })
}

/// One connection, or two that use the same 4-tuple.
pub(crate) fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let distance = REACH..=u32::MAX - REACH;
    (plan(1..25), plan(1..25), distance, any::<bool>()).prop_map(
        |(first, mut second, distance, two)| {
            second.isn = first.isn.wrapping_add(distance);
            if two { vec![first, second] } else { vec![first] }
        },
    )
}

/// A host that keeps up with everything, but for its first sequence number.
pub(crate) fn fast_host() -> impl Strategy<Value = Host> {
    number().prop_map(|first| Host {
        first,
        window: 64_000,
        appetite: 64_000,
        hold_busy: 0,
        hold_drops: 0,
        blocked: 0,
    })
}

/// A host with little room, whose memcached reads little at a time, though all of it before a copy has waited for
/// as long as it may.
pub(crate) fn slow_host() -> impl Strategy<Value = Host> {
    (number(), 8_000usize..64_000, 1_000usize..20_000).prop_map(|(first, window, appetite)| Host {
        first,
        window,
        appetite,
        hold_busy: 0,
        hold_drops: 0,
        blocked: 0,
    })
}

/// How long the hold device takes for other connections' copies: mostly no time. Never so long that what is put in
/// order, a few copies a round, waits for longer than a copy may.
pub(crate) fn busy() -> impl Strategy<Value = u64> {
    prop_oneof![3 => Just(0u64), 1 => 0u64..30_000_000]
}
