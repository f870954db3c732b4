//! The puppet client against a simulated network and a real TCP stack.
//!
//! A client talks to production; copies of what it sends are delayed, reordered, doubled and lost on
//! their way to the target. There `copy::judge` and `reply::judge` decide, and smoltcp and a small
//! memcached live with the consequences. Always checked: memcached reads nothing but what the client
//! sent, in order, from the beginning of a request on; no reply leaves the host; no socket outlives
//! its flow; every copy is accounted for.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod client;
mod server;
mod stack;
mod target;

use std::iter::successors;

use mirror_common::tcp::SYN;
use proptest::{collection::vec, prelude::*};

use client::{Connection, Ending, Plan, REST, Request};
use target::Target;

const MILLISECOND: u64 = 1_000_000;

/// What happens to copies on their way.
#[derive(Clone, Debug, Default)]
struct Network {
    seed: u64,
    /// Longest delay beyond the usual, in microseconds.
    jitter: u64,
    /// Copies lost and doubled, out of a thousand.
    lost: u64,
    doubled: u64,
    /// Nothing is lost, doubled or delayed from this time on.
    calm_at: u64,
    /// Exactly these copies are lost too.
    missing: Vec<usize>,
    /// The mirror is attached at this time.
    attached_at: u64,
    hold_drops: usize,
}

/// The target's host.
#[derive(Clone, Debug)]
struct Host {
    window: usize,
    appetite: usize,
}

const FAST: Host = Host { window: 64_000, appetite: 64_000 };

/// Runs `plans`, one after the other on the same 4-tuple, and returns the target at the end.
fn simulate(plans: &[Plan], network: &Network, host: &Host) -> Target {
    let mut connections = Vec::new();
    let mut at = 0;
    for (index, plan) in plans.iter().enumerate() {
        let connection = Connection::new(index, plan, at);
        at = connection.ends_at + 300 * MILLISECOND;
        connections.push(connection);
    }
    let mut arrivals = Vec::new();
    let mut random = successors(Some(network.seed | 1), |x| {
        let x = x ^ x << 13;
        let x = x ^ x >> 7;
        Some(x ^ x << 17)
    });
    let mut chance = || random.next().map_or(0, |x| x >> 20);
    let sent = connections.iter().flat_map(|connection| &connection.sent);
    for (number, sent) in sent.filter(|sent| sent.at >= network.attached_at).enumerate() {
        let calm = sent.at >= network.calm_at;
        // Nothing overtakes a SYN: the rest waits for the SYN-ACK.
        let prompt = calm || sent.flags & SYN != 0;
        let delay = 50_000 + if prompt { 0 } else { chance() % (network.jitter * 1000 + 1) };
        let fate = if calm { 1000 } else { chance() % 1000 };
        if fate < network.lost || network.missing.contains(&number) {
            continue;
        }
        arrivals.push((sent.at + delay, sent.clone()));
        if !calm && chance() % 1000 < network.doubled {
            let delay = 50_000 + chance() % (network.jitter * 1000 + 1);
            arrivals.push((sent.at + delay, sent.clone()));
        }
    }
    let mut target = Target::new(connections, host.window, host.appetite, network.hold_drops);
    let count = arrivals.len();
    for (time, sent) in arrivals {
        target.will_arrive(time, sent);
    }
    target.run(at + REST);
    let counts = &target.counts;
    assert_eq!(counts.arrived, count);
    assert_eq!(counts.arrived, counts.applied + counts.discarded + counts.lost_in_hold);
    for pair in target.server.executed.windows(2) {
        assert!(pair[0] < pair[1], "{:?} ran after {:?}", pair[1], pair[0]);
    }
    target
}

/// Every request of `plans`.
fn all(plans: &[Plan]) -> Vec<(usize, usize)> {
    let requests = |(index, plan): (usize, &Plan)| {
        (0..plan.requests.len()).map(move |number| (index, number)).collect::<Vec<_>>()
    };
    plans.iter().enumerate().flat_map(requests).collect()
}

/// How many requests there are before the last connection's rest.
fn first_of_tail(plans: &[Plan]) -> usize {
    let last = &plans[plans.len() - 1];
    all(plans).len() - last.requests.len() + last.rests_before.unwrap_or(0)
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        3 => (5u32..5000).prop_map(|reply| Request::Get { reply }),
        2 => (0usize..3000).prop_map(|length| Request::Set { length }),
        1 => (10_000usize..40_000).prop_map(|length| Request::Set { length }),
        3 => (1usize..6).prop_map(|pieces| Request::SetMimic { pieces }),
    ]
}

fn small_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        (5u32..5000).prop_map(|reply| Request::Get { reply }),
        (0usize..300).prop_map(|length| Request::Set { length }),
        (1usize..4).prop_map(|pieces| Request::SetMimic { pieces }),
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

fn plan(requests: std::ops::Range<usize>) -> impl Strategy<Value = Plan> {
    (any::<u32>(), vec(request(), requests), 100usize..1460, 150u64..3000, 0usize..6, ending())
        .prop_map(|(isn, requests, mss, pause, resends, ending)| Plan {
            // Near the end of the number space often enough.
            isn: if isn % 3 == 0 { u32::MAX - isn % 9000 } else { isn },
            requests,
            pipelines: false,
            mss,
            pause,
            resends,
            ending,
            rests_before: None,
            pause_then: pause,
        })
}

/// One connection, or two that use the same 4-tuple.
fn plans() -> impl Strategy<Value = Vec<Plan>> {
    (plan(1..25), plan(1..25), any::<bool>()).prop_map(|(first, mut second, two)| {
        second.isn = first.isn.wrapping_add(50_000_000);
        if two { vec![first, second] } else { vec![first] }
    })
}

fn slow_host() -> impl Strategy<Value = Host> {
    (2_000usize..64_000, 1_000usize..20_000)
        .prop_map(|(window, appetite)| Host { window, appetite })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// No copy is lost, and the network keeps their order.
    #[test]
    fn a_new_connection_is_followed_at_the_pace_of_the_target(
        mut plans in plans(),
        host in slow_host(),
        pipelines: bool,
    ) {
        for plan in &mut plans {
            plan.pipelines = pipelines;
        }
        let target = simulate(&plans, &Network::default(), &host);
        prop_assert_eq!(&target.server.executed, &all(&plans));
        let ended = !matches!(plans[plans.len() - 1].ending, Ending::Nothing);
        prop_assert_eq!(target.is_clean(), ended);
    }

    /// No copy is lost, but they overtake each other and come twice.
    #[test]
    fn reordering_costs_nothing(
        plan in plan(1..25),
        seed: u64,
        jitter in 0u64..40_000,
        doubled in 0u64..300,
    ) {
        // What is overtaken by the connection's end is late, not reordered.
        let plans = [Plan { ending: Ending::Nothing, ..plan }];
        let network =
            Network { seed, jitter, doubled, calm_at: u64::MAX, ..Network::default() };
        let target = simulate(&plans, &network, &FAST);
        prop_assert_eq!(target.counts.broken, 0);
        prop_assert_eq!(target.server.executed, all(&plans));
    }

    /// The mirror is attached in the middle of a connection.
    #[test]
    fn an_old_connection_is_adopted_at_its_second_request(
        plan in plan(4..25),
        host in slow_host(),
    ) {
        let plans = [Plan { rests_before: Some(1), ..plan }];
        let network = Network { attached_at: REST / 2, ..Network::default() };
        let target = simulate(&plans, &network, &host);
        prop_assert_eq!(target.counts.broken, 0);
        prop_assert_eq!(&target.server.executed, &all(&plans)[2..]);
        let ended = !matches!(plans[0].ending, Ending::Nothing);
        prop_assert_eq!(target.is_clean(), ended);
    }

    /// One copy is lost, and requests go on without a pause: a while later all is well again.
    #[test]
    fn a_loss_costs_a_quarter_of_a_second(
        requests in vec(small_request(), 300..400),
        plan in plan(1..2),
        lost in 2usize..300,
    ) {
        let pause = plan.pause + 1000;
        let ending = Ending::Nothing;
        let plans = [Plan { requests, resends: 0, pause, ending, ..plan }];
        let lost_at = Connection::new(0, &plans[0], 0).sent[lost].at;
        let network = Network { missing: vec![lost], ..Network::default() };
        let target = simulate(&plans, &network, &FAST);
        prop_assert!(target.counts.broken <= 1);
        let well = Connection::new(0, &plans[0], 0).requests_after(lost_at + 250 * MILLISECOND);
        let expected = &all(&plans)[well..];
        prop_assert!(target.server.executed.ends_with(expected));
    }

    /// Copies are lost, reordered, doubled, and dropped by the hold device.
    #[test]
    fn whatever_happens_only_whole_requests_run(
        mut plans in plans(),
        seed: u64,
        jitter in 0u64..200_000,
        lost in 0u64..200,
        doubled in 0u64..200,
        in_haste: bool,
        host in slow_host(),
        hold_drops in prop_oneof![Just(0usize), 5usize..50],
        attached_at in 0..20 * MILLISECOND,
        tail in vec(request(), 6..10),
    ) {
        if in_haste {
            plans[0].ending = Ending::ResetInHaste;
        }
        let last = plans.len() - 1;
        let rest = plans[last].requests.len();
        plans[last].requests.extend(tail);
        plans[last].rests_before = Some(rest);
        plans[last].pause_then = 250_000;
        plans[last].ending = Ending::Nothing;
        let network = Network {
            seed,
            jitter,
            lost,
            doubled,
            calm_at: REST,
            missing: Vec::new(),
            attached_at,
            hold_drops,
        };
        let target = simulate(&plans, &network, &host);
        // Once it is calm, the first request breaks the flow at the worst, the second is looked at,
        // and the third resets the socket, too early for its own next segment. All others run, if the
        // hold device keeps what it is given.
        let expected = &all(&plans)[first_of_tail(&plans) + 3..];
        if hold_drops == 0 {
            prop_assert!(target.server.executed.ends_with(expected));
        }
    }
}
