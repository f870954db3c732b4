//! What is applied where the network between the hosts loses copies, sent once, twice and thrice.

use anyhow::{Result, ensure};
use mirror_tests::{
    agent::Counters,
    impair::Rates,
    memcached::Memcached,
    mirror::Mirror,
    traffic::{Client, Style},
};

use super::{
    Plan,
    report::{Cell, Report},
    site::Site,
};
use crate::interrupt::Interrupt;

/// Shares of copies that are lost.
const SHARES: [f64; 3] = [0.001, 0.01, 0.1];
/// Times that a copy is sent.
const REDUNDANCY: [u64; 3] = [1, 2, 3];
/// Connections that store small values, one request at a time.
const SMALL: usize = 20;
/// Requests that each sends in a turn: the fewer are lost, the more are asked for.
const SMALL_REQUESTS: [usize; 3] = [3000, 1000, 300];
/// The same for a client of every style, one of each.
const MIXED_REQUESTS: [usize; 3] = [300, 150, 75];

/// What clients ask for.
#[derive(Clone, Copy)]
enum Load {
    Small,
    Mixed,
}

/// One row of the table.
struct Row {
    load: Load,
    /// Of [`SHARES`].
    share: usize,
    redundancy: u64,
    rounds: Vec<Round>,
}

/// What one turn came to.
struct Round {
    /// Requests applied, in percent of those that production got.
    applied: f64,
    /// Times that a stream had a hole.
    broken: u64,
    /// Requests that were not applied.
    missing: u64,
}

pub(crate) fn measure(plan: Plan, interrupt: &Interrupt, report: &mut Report) -> Result<()> {
    let mut rows = Vec::new();
    for load in [Load::Small, Load::Mixed] {
        for share in 0..SHARES.len() {
            for redundancy in REDUNDANCY {
                rows.push(Row { load, share, redundancy, rounds: Vec::new() });
            }
        }
    }
    for round in 1..=plan.rounds {
        eprintln!("lost copies, round {round} of {}", plan.rounds);
        for row in &mut rows {
            interrupt.check()?;
            row.rounds.push(turn(row)?);
        }
    }
    let cells = rows.iter().map(|row| {
        let total = |of: fn(&Round) -> u64| row.rounds.iter().map(of).sum::<u64>();
        let (broken, missing) = (total(|round| round.broken), total(|round| round.missing));
        vec![
            Cell::text(match row.load {
                Load::Small => "small",
                Load::Mixed => "mixed",
            }),
            Cell::Number(SHARES[row.share] * 100.0, 1),
            Cell::count(row.redundancy),
            Cell::Median(row.rounds.iter().map(|round| round.applied).collect(), 2),
            Cell::Number(row.rounds.iter().map(|round| round.applied).fold(100.0, f64::min), 2),
            Cell::count(broken),
            Cell::Number(missing as f64 / (broken.max(1)) as f64, 1),
        ]
    });
    report.table(
        "Lost copies",
        &format!(
            "% of requests applied. Small: {SMALL} connections, sets of 100 bytes, one at a time. Mixed: \
             every protocol, values of up to 100 kB, one at a time and many at once."
        ),
        &["load", "lost %", "sent", "applied %", "worst\nround", "holes", "requests\nfor each"],
        &cells.collect::<Vec<_>>(),
    );
    Ok(())
}

/// A turn of `row`, in a lab of its own.
fn turn(row: &Row) -> Result<Round> {
    let mut mirror = Mirror::idle();
    // The old host's card cuts copies into segments, so that each has a fate of its own.
    mirror.old.output("ethtool", &["-K", "eth0", "tso", "off"]);
    mirror.start_redundant(row.redundancy);
    let mut mixed = match row.load {
        Load::Small => Vec::new(),
        Load::Mixed => clients(&mirror),
    };
    mirror.settled();
    let answered = |server: &Memcached, host| Site::answered(server, host);
    let before =
        [answered(&mirror.old_server, &mirror.old), answered(&mirror.new_server, &mirror.new)];
    let drop = SHARES[row.share];
    let impairment = mirror.impair(Rates { drop, ..Rates::default() });
    std::thread::scope(|scope| {
        for client in &mut mixed {
            scope.spawn(|| client.work(MIXED_REQUESTS[row.share]));
        }
        if matches!(row.load, Load::Small) {
            for number in 0..SMALL {
                let mut connection = mirror.connect();
                scope.spawn(move || {
                    for request in 0..SMALL_REQUESTS[row.share] {
                        connection.set(&format!("loss-{number}-{}", request % 100), &[b'l'; 100]);
                    }
                });
            }
        }
    });
    let (_, target): (Counters, Counters) = mirror.settled_behind(&impairment);
    let after =
        [answered(&mirror.old_server, &mirror.old), answered(&mirror.new_server, &mirror.new)];
    let [asked, applied] = [0, 1].map(|server| after[server] - before[server]);
    ensure!(asked > 0, "the old server counted no requests");
    Ok(Round {
        applied: 100.0 * applied as f64 / asked as f64,
        broken: target.get("desynced").copied().unwrap_or(0),
        missing: asked.saturating_sub(applied),
    })
}

/// A client of each style.
fn clients(mirror: &Mirror) -> Vec<Client> {
    let client = |style| Client::new(format!("loss-{style:?}"), style, mirror.connect());
    Style::USUAL.into_iter().map(client).collect()
}
