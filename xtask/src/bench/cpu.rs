//! What the new host pays: CPU time for requests that are mirrored, and for the same requests from a
//! client of its own.

use anyhow::{Result, ensure};
use mirror_tests::mirror::PORT;

use super::{
    Plan,
    load::Clients,
    report::{Cell, Report},
    side::Side,
    site::{NEW, Site},
    spread::median,
};
use crate::interrupt::Interrupt;

/// What one kind of request cost, round by round.
#[derive(Default)]
struct Series {
    seconds: Vec<f64>,
    applied: Vec<f64>,
}

pub(crate) fn measure(
    site: &Site,
    plan: Plan,
    rate: f64,
    interrupt: &Interrupt,
    report: &mut Report,
) -> Result<()> {
    let (mut mirrored, mut direct) = (Series::default(), Series::default());
    for round in 0..plan.rounds {
        eprintln!("round {} of {}: CPU time of the new host", round + 1, plan.rounds);
        let running = Side::One.start(site)?;
        spend(site, true, plan, rate, interrupt, &mut mirrored)?;
        drop(running);
        site.release();
        spend(site, false, plan, rate, interrupt, &mut direct)?;
    }
    let base = median(&direct.seconds);
    let row = |name: &str, series: Series| {
        vec![
            Cell::text(name),
            Cell::Number(median(&series.seconds) / base, 2),
            Cell::Median(series.seconds, 3),
            Cell::Median(series.applied, 4),
        ]
    };
    report.table(
        "CPU time of the new host",
        &format!(
            "CPU {NEW}, which has nothing else to do, at {rate:.0} requests/s: programs, stack and \
             memcached."
        ),
        &["requests", "ratio", "CPU s\nper 100k", "applied"],
        &[row("from a client of its own", direct), row("mirrored", mirrored)],
    );
    Ok(())
}

/// CPU seconds for 100,000 requests, and how many of them the new server answered.
fn spend(
    site: &Site,
    mirrored: bool,
    plan: Plan,
    rate: f64,
    interrupt: &Interrupt,
    series: &mut Series,
) -> Result<()> {
    let (server, host) = (&site.new_servers[0], &site.new[0]);
    let to = if mirrored { &site.old } else { host };
    let before = Site::answered(server, host);
    let mut clients = Clients::connect(&site.client, to.v4(), PORT, interrupt);
    let sample = clients.fixed_rate(plan.turn, rate)?;
    let answered = Site::answered(server, host) - before;
    ensure!(answered > 0, "the new server answered nothing");
    series.seconds.push(sample.cost(1) / 10.0);
    series.applied.push(answered as f64 / sample.requests as f64);
    Ok(())
}
