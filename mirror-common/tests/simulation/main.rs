//! The synthetic client against a simulated network and a real TCP stack.
//!
//! A client talks to production; copies of what it sends are delayed, reordered, doubled and lost on
//! their way to the target. There `copy::judge` and `reply::judge` decide, and smoltcp and a small
//! memcached live with the consequences. Always checked: memcached reads nothing but what the client
//! sent, in order, from the beginning of a request on; no reply leaves the host; no socket outlives
//! its flow; every copy is accounted for.
//!
//! Clients speak either protocol, wait for replies or do not, ask for none, send values that are made of
//! requests, send segments twice and joined, use the 4-tuple again, and begin at any sequence number.
//!
//! Everything follows from a seed. `cargo test` runs the same seeds each time, `cargo xtask simulate`
//! others, and as many as are wanted.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod client;
mod hold;
mod plans;
mod requests;
mod seeds;
mod server;
mod stack;
mod target;

use std::iter::successors;

use mirror_common::{memcached::admin_command::FLUSH, packet::tcp::SYN};
use proptest::{collection::vec, option, prelude::*};

use client::{Connection, Ending, Pace, Plan, REST};
use plans::{busy, fast_host, one_by_one, pipelining, plan, plans, slow_host, small_request};
use requests::{Request, Value};
use target::Target;

const MILLISECOND: u64 = 1_000_000;
/// Two connections' numbers are further apart than what `tcp::late` takes for one connection's.
pub(crate) const REACH: u32 = 1 << 27;

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
    /// Time from one connection's end to the next one's beginning, if it is not [`REST`].
    reused_after: Option<u64>,
}

/// The target's host.
#[derive(Clone, Debug)]
struct Host {
    /// The first number that its server sends.
    first: u32,
    /// Size of a socket's receive buffer.
    window: usize,
    /// Bytes that memcached reads at a time.
    appetite: usize,
    /// How long the hold device takes for other connections' copies, in ns.
    hold_busy: u64,
    /// Every so many copies the hold device drops one; 0 for none.
    hold_drops: usize,
    /// Commands that memcached is not given.
    blocked: u32,
}

/// Runs `plans`, one after the other on the same 4-tuple, and returns the target at the end.
fn simulate(plans: &[Plan], network: &Network, host: &Host) -> Target {
    let mut connections = Vec::new();
    let mut at = 0;
    for (index, plan) in plans.iter().enumerate() {
        let connection = Connection::new(index, plan, at);
        at = connection.ends_at + network.reused_after.unwrap_or(REST);
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
        // Nothing overtakes a SYN, as the rest waits for the SYN-ACK, and none comes again later.
        let jitter = if calm || sent.flags & SYN != 0 { 0 } else { network.jitter * 1000 };
        let mut delay = || 50_000 + chance() % (jitter + 1);
        let (one, other) = (sent.at + delay(), sent.at + delay());
        let fate = if calm { 1000 } else { chance() % 1000 };
        if fate < network.lost || network.missing.contains(&number) {
            continue;
        }
        arrivals.push((one, sent.clone()));
        if !calm && chance() % 1000 < network.doubled {
            arrivals.push((other, sent.clone()));
        }
    }
    // What the network card has joined has to fit, as it does a window of Linux'.
    let mss = plans.iter().map(|plan| plan.mss).max().unwrap_or(0);
    let host = Host { window: host.window.max(2 * mss.min(hold::BURST)), ..host.clone() };
    let mut target = Target::new(connections, &host);
    for (time, sent) in arrivals {
        target.will_arrive(time, sent);
    }
    target.run(at + REST);
    assert_eq!(target.counts.in_hold, 0, "waits forever");
    let counts = &target.counts;
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
    all(plans).len() - last.requests.len() + last.rested()
}

/// Whether there is anything that looks like a request and is none.
fn has_mimics(plan: &Plan) -> bool {
    let is_mimic =
        |request: &Request| matches!(request, Request::Set { value: Value::Mimic(_), .. });
    plan.requests.iter().any(is_mimic)
}

/// Takes everything out that looks like a request and is none.
fn without_mimics(plan: &mut Plan) {
    for request in &mut plan.requests {
        if let Request::Set { value: value @ Value::Mimic(_), .. } = request {
            *value = Value::Plain(2000);
        }
    }
}

/// Lets no value be longer than so many segments.
fn shorten_values(plan: &mut Plan, segments: usize) {
    for request in &mut plan.requests {
        if let Request::Set { value: Value::Plain(length), .. } = request {
            *length = (*length).min(segments * plan.mss);
        }
    }
}

/// Lets `plan` rest before `tail`, which its client sends one by one, and then wait.
fn add_tail(plan: &mut Plan, tail: Vec<Request>, pause: u64) {
    plan.rests_before = Some((plan.requests.len(), one_by_one(pause)));
    plan.requests.extend(tail);
    plan.ending = Ending::Nothing;
}

/// A test that checks what follows for each of many cases.
macro_rules! property {
    ($(#[$about:meta])* $name:ident, $cases:expr, $check:expr) => {
        $(#[$about])*
        #[test]
        fn $name() {
            seeds::check(stringify!($name), &$cases, $check);
        }
    };
}

property!(
    /// No copy is lost, and the network keeps their order.
    a_new_connection_is_followed_at_the_pace_of_the_target,
    (plans(), slow_host(), option::of(pipelining())),
    |(mut plans, host, pace)| {
        for plan in &mut plans {
            plan.pace = pace.unwrap_or(plan.pace);
        }
        let target = simulate(&plans, &Network::default(), &host);
        assert_eq!(target.server.executed, all(&plans));
        let ended = !matches!(plans[plans.len() - 1].ending, Ending::Nothing);
        assert_eq!(target.is_clean(), ended);
    }
);

property!(
    /// No copy is lost, but they overtake each other and come twice.
    reordering_costs_nothing,
    (plan(1..25), fast_host(), any::<u64>(), 0u64..18_000, 0u64..300, busy()),
    |(plan, mut host, seed, jitter, doubled, busy)| {
        host.hold_busy = busy;
        // Shorter than the client takes for a few requests.
        let jitter = jitter.min(2 * plan.pace.pause);
        // What is overtaken by the connection's end is late, not reordered.
        let mut plans = [Plan { ending: Ending::Nothing, ..plan }];
        // The simulated stack keeps 32 holes; Linux' as many as there are in its window.
        shorten_values(&mut plans[0], 12);
        let network = Network { seed, jitter, doubled, calm_at: u64::MAX, ..Network::default() };
        let target = simulate(&plans, &network, &host);
        assert_eq!(target.counts.broken, 0);
        assert_eq!(target.server.executed, all(&plans));
    }
);

property!(
    /// The mirror is attached in the middle of a connection. Requests may be written together, which
    /// makes no difference as long as their client then waits for all replies.
    an_old_connection_is_adopted_behind_the_first_reply,
    (plan(4..25), 1usize..8, slow_host(), busy()),
    |(mut plan, joined, mut host, busy)| {
        host.hold_busy = busy;
        let pace = Pace { joined, ..plan.pace };
        plan.rests_before = Some((1, pace));
        let replied = plan.requests[1..]
            .chunks(joined)
            .position(|batch| batch.iter().any(|request| request.reply(plan.protocol) > 0));
        let adopted = replied.map_or(usize::MAX, |batch| 1 + (batch + 1) * joined);
        let plans = [plan];
        let network = Network { attached_at: REST / 2, ..Network::default() };
        let target = simulate(&plans, &network, &host);
        assert_eq!(target.counts.broken, 0);
        let all = all(&plans);
        assert_eq!(target.server.executed, all[adopted.min(all.len())..]);
        let ended = !matches!(plans[0].ending, Ending::Nothing);
        assert_eq!(target.is_clean(), ended);
    }
);

property!(
    /// The same for a client that never waits. Where its values look like nothing, memcached is given
    /// whole requests, and all of them once it waits for replies.
    a_pipelining_clients_old_connection_is_adopted_at_a_request,
    (plan(4..25), pipelining(), slow_host(), 0..20 * MILLISECOND, vec(small_request(), 3..7)),
    |(mut plan, pace, host, attached_at, tail)| {
        plan.pace = pace;
        add_tail(&mut plan, tail, 1000);
        without_mimics(&mut plan);
        let plans = [plan];
        let network = Network { attached_at, ..Network::default() };
        let target = simulate(&plans, &network, &host);
        assert_eq!(target.counts.broken, 0);
        let expected = &all(&plans)[first_of_tail(&plans) + 2..];
        assert!(target.server.executed.ends_with(expected));
    }
);

property!(
    /// What looks like a command to withhold is not given to memcached, and neither is anything else that
    /// the client did not ask for. What follows is, once a reply says where.
    what_is_withheld_breaks_no_more_than_its_own_request,
    (plan(1..25), option::of(pipelining()), slow_host(), vec(small_request(), 8..12)),
    |(mut plan, pace, mut host, tail)| {
        host.blocked = FLUSH;
        plan.pace = pace.unwrap_or(plan.pace);
        if plan.pace.behind > 0 {
            without_mimics(&mut plan);
        }
        let mut tail = Plan { requests: tail, ..plan.clone() };
        without_mimics(&mut tail);
        add_tail(&mut plan, tail.requests, 250_000);
        let plans = [plan];
        let target = simulate(&plans, &Network::default(), &host);
        let found_out = if plans.iter().any(has_mimics) { 4 } else { 0 };
        let expected = &all(&plans)[first_of_tail(&plans) + 2 + found_out..];
        assert!(target.server.executed.ends_with(expected));
        if !plans.iter().any(has_mimics) {
            assert_eq!(target.server.executed, all(&plans));
        }
    }
);

property!(
    /// The 4-tuple is used again with numbers from anywhere, and the copy of the SYN that says so is
    /// lost.
    a_later_connection_is_adopted_though_its_syn_is_lost,
    (
        plan(1..5),
        plan(1..5),
        any::<u32>(),
        fast_host(),
        0..2 * MILLISECOND,
        vec(small_request(), 8..12),
    ),
    |(first, mut second, isn, host, attached_at, tail)| {
        // In the first's own reach, the numbers could be the first's.
        let distance = isn.wrapping_sub(first.isn);
        second.isn = if distance.wrapping_add(REACH) < 2 * REACH { isn ^ 1 << 31 } else { isn };
        add_tail(&mut second, tail, 250_000);
        let seen = Connection::new(0, &first, 0).sent.into_iter();
        let syn = seen.filter(|sent| sent.at >= attached_at).count();
        let network = Network { missing: vec![syn], attached_at, ..Network::default() };
        let plans = [first, second];
        let target = simulate(&plans, &network, &host);
        let found_out = if plans.iter().any(has_mimics) { 4 } else { 0 };
        let expected = &all(&plans)[first_of_tail(&plans) + 2 + found_out..];
        assert!(target.server.executed.ends_with(expected));
    }
);

property!(
    /// One copy is lost, and requests go on without a pause: a while later all is well again.
    a_loss_costs_a_quarter_of_a_second,
    (vec(small_request(), 300..400), plan(1..2), fast_host(), 2usize..300),
    |(requests, plan, host, lost)| {
        let pace = one_by_one(plan.pace.pause + 1000);
        let ending = Ending::Nothing;
        let plans = [Plan { requests, resends: 0, pace, ending, ..plan }];
        let lost_at = Connection::new(0, &plans[0], 0).sent[lost].at;
        let network = Network { missing: vec![lost], ..Network::default() };
        let target = simulate(&plans, &network, &host);
        assert!(target.counts.broken <= 1);
        let well = Connection::new(0, &plans[0], 0).requests_after(lost_at + 250 * MILLISECOND);
        let expected = &all(&plans)[well..];
        assert!(target.server.executed.ends_with(expected));
    }
);

/// A network that does everything wrong for a while.
fn bad_network() -> impl Strategy<Value = Network> {
    let rates = (0u64..200_000, 0u64..200, 0u64..200);
    (any::<u64>(), rates, 0..20 * MILLISECOND, 0..1000 * MILLISECOND).prop_map(
        |(seed, (jitter, lost, doubled), attached_at, reused_after)| Network {
            seed,
            jitter,
            lost,
            doubled,
            calm_at: REST,
            missing: Vec::new(),
            attached_at,
            // What the first connection's client sent has arrived by then.
            reused_after: Some(jitter * 1000 + reused_after),
        },
    )
}

property!(
    /// Copies are lost, reordered, doubled, and dropped by the hold device.
    whatever_happens_only_whole_requests_run,
    (
        plans(),
        option::of(pipelining()),
        bad_network(),
        (slow_host(), prop_oneof![Just(0usize), 5usize..50], prop_oneof![3 => Just(0), 1 => Just(FLUSH)]),
        any::<bool>(),
        vec(small_request(), 8..12),
    ),
    |(mut plans, pace, network, (mut host, hold_drops, blocked), in_haste, tail)| {
        host.hold_drops = hold_drops;
        host.blocked = blocked;
        for plan in &mut plans {
            plan.pace = pace.unwrap_or(plan.pace);
            if plan.pace.behind > 0 {
                without_mimics(plan);
            }
        }
        if in_haste {
            plans[0].ending = Ending::ResetInHaste;
        }
        let last = plans.len() - 1;
        add_tail(&mut plans[last], tail, 250_000);
        let target = simulate(&plans, &network, &host);
        // Once it is calm, the first request breaks the flow at the worst, and the second is looked at. If a
        // value was taken for requests, it takes four more to find that out. All others run, if the hold
        // device keeps what it is given.
        let found_out = if plans.iter().any(has_mimics) { 4 } else { 0 };
        let expected = &all(&plans)[first_of_tail(&plans) + 2 + found_out..];
        if hold_drops == 0 && blocked == 0 {
            assert!(target.server.executed.ends_with(expected));
        }
    }
);
