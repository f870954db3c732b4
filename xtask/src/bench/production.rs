//! What production feels: rates, latencies, and how far the new hosts are behind.

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use mirror_tests::{client::Connection, mirror::PORT};

use super::{
    Plan, dup, lag,
    load::{CONNECTIONS, Clients, Sample},
    processor::Meter,
    report::{Cell, Report},
    side::Side,
    site::{NEW, PRODUCTION, Site},
    spread::median,
};
use crate::interrupt::Interrupt;

/// The fixed rate is this part of what a closed loop reaches bare. No more: a request that comes by itself
/// costs twice as much as one in a crowd, and no side may be short of CPU time.
const PART: f64 = 0.25;
/// The part of a CPU that may be busy with something else.
const QUIET: f64 = 0.05;
const QUANTILES: [f64; 3] = [0.5, 0.99, 0.999];
const TITLE: &str = "Under load";

/// What one side did, round by round.
#[derive(Default)]
struct Series {
    rate: Vec<f64>,
    closed: [Vec<f64>; 3],
    fixed: [Vec<f64>; 3],
    /// Microseconds for each request at the fixed rate, of production's CPU and the new hosts'.
    cost: [Vec<f64>; 2],
    applied: Vec<f64>,
    lag: Vec<f64>,
}

/// Measures, and returns the fixed rate.
pub(crate) fn measure(
    site: &Site,
    plan: Plan,
    interrupt: &Interrupt,
    report: &mut Report,
) -> Result<f64> {
    // Warms up whatever there is to warm up, too.
    let mut clients = Clients::connect(&site.client, site.old.v4(), PORT, interrupt);
    let rate = clients.closed_loop(plan.turn)?.rate() * PART;
    drop(clients);
    let lacking = dup::lacking(&site.old);
    let possible = |side: &Side| *side != Side::NftDup || lacking.is_none();
    let mut sides: Vec<(Side, Series)> =
        Side::ALL.into_iter().filter(possible).map(|side| (side, Series::default())).collect();
    let meter = Meter::start()?;
    let count = sides.len();
    for round in 0..plan.rounds {
        for position in 0..count {
            // Each round begins with another side, in case the order matters.
            let (side, series) = &mut sides[(position + round) % count];
            eprintln!("under load: round {} of {}: {}", round + 1, plan.rounds, side.name());
            turn(site, *side, plan.turn, rate, interrupt, series)?;
        }
    }
    table(report, &sides, rate, meter.stolen()?[PRODUCTION]);
    let lacking = lacking.map(|why| format!("cannot compare with nft dup: {why}"));
    report.remarks(TITLE, lacking.as_slice());
    Ok(rate)
}

fn turn(
    site: &Site,
    side: Side,
    time: Duration,
    rate: f64,
    interrupt: &Interrupt,
    series: &mut Series,
) -> Result<()> {
    let _running = side.start(site)?;
    let answered = || {
        let new = site.new_servers.iter().zip(&site.new).take(side.targets());
        (
            Site::answered(&site.old_server, &site.old),
            new.map(|(server, host)| Site::answered(server, host)).sum::<u64>(),
        )
    };
    let before = answered();
    let before_hole = site.lost_in_hole()?;
    let mut clients = Clients::connect(&site.client, site.old.v4(), PORT, interrupt);
    let closed = clients.closed_loop(time)?;
    let fixed = clients.fixed_rate(time, rate)?;
    if side.uses_hole() {
        let (lost, sent) = (site.lost_in_hole()? - before_hole, closed.requests + fixed.requests);
        ensure!(lost >= sent, "{}: {lost} copies of {sent} requests", side.name());
    }
    if side.targets() > 0 {
        for host in &site.new[..side.targets()] {
            host.settled("target");
        }
        let after = answered();
        let wanted = (after.0 - before.0) * side.targets() as u64;
        ensure!(wanted > 0, "the old server counted no requests");
        series.applied.push((after.1 - before.1) as f64 / wanted as f64);
        series.lag.push(behind(site, &mut clients, time, rate, interrupt)?);
    }
    series.rate.push(closed.rate());
    for (number, quantile) in QUANTILES.into_iter().enumerate() {
        series.closed[number].push(closed.latency(quantile));
        series.fixed[number].push(fixed.latency(quantile));
    }
    for (cpu, list) in series.cost.iter_mut().enumerate() {
        list.push(fixed.cost(cpu));
    }
    Ok(())
}

/// Lag under the fixed load. By itself, as looking for it is work.
fn behind(
    site: &Site,
    clients: &mut Clients<'_>,
    time: Duration,
    rate: f64,
    interrupt: &Interrupt,
) -> Result<f64> {
    let mut old = Connection::open(&site.client, site.old.v4(), PORT);
    let mut new = site.new_servers[0].inside(&site.new[0]);
    let lags = std::thread::scope(|scope| {
        let watcher = scope.spawn(move || lag::measure(&mut old, &mut new, time, interrupt));
        let load: Result<Sample> = clients.fixed_rate(time, rate);
        let lags = watcher.join().unwrap_or_else(|_| Err(anyhow!("the search for markers failed")));
        load.and(lags)
    })?;
    Ok(median(&lags))
}

fn table(report: &mut Report, sides: &[(Side, Series)], rate: f64, stolen: f64) {
    let Some((_, bare)) = sides.first() else { return };
    let foreign = median(&bare.cost[NEW]) * rate / 1e6;
    let rows: Vec<Vec<Cell>> = sides
        .iter()
        .map(|(side, series)| {
            let mut row = vec![
                Cell::text(side.name()),
                Cell::Median(series.rate.clone(), 0),
                Cell::Number(median(&series.rate) / median(&bare.rate), 3),
            ];
            let medians = |lists: &[Vec<f64>], digits| {
                lists.iter().map(move |list| Cell::Median(list.clone(), digits)).collect()
            };
            let lists: [Vec<Cell>; 3] =
                [medians(&series.closed, 0), medians(&series.fixed, 0), medians(&series.cost, 1)];
            row.extend(lists.into_iter().flatten());
            row.push(Cell::Median(series.applied.clone(), 4));
            row.push(Cell::Median(series.lag.clone(), 0));
            row
        })
        .collect();
    report.table(
        TITLE,
        &format!(
            "{CONNECTIONS} connections, nine gets to one set of 100 bytes; medians over the rounds, \
             times in µs. First in a closed\nloop, where production's CPU is the limit; then at a fixed \
             {rate:.0} requests/s. How many requests the scheduler has served\nin one go makes more of a \
             difference here than a copy does: see the table before for that. Other virtual machines had\n{:.1} % \
             of CPU {PRODUCTION} meanwhile; CPU {NEW}, idle while bare, was {:.0} % busy{}.",
            stolen * 100.0,
            foreign * 100.0,
            if foreign > QUIET { ": SOMETHING ELSE RUNS HERE, do not trust this" } else { "" },
        ),
        &[
            "side",
            "closed\nops/s",
            "of\nbare",
            "closed\np50",
            "closed\np99",
            "closed\np99.9",
            "fixed\np50",
            "fixed\np99",
            "fixed\np99.9",
            "CPU 0\nµs/req",
            "CPU 1\nµs/req",
            "applied",
            "lag\nµs",
        ],
        &rows,
    );
}
