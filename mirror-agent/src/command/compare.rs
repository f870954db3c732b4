//! `compare`: whether new memcacheds hold what old ones hold.

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result};
use futures_util::{StreamExt as _, stream};
use tokio::time::sleep;

use crate::{
    cli,
    compare::{
        pair::Pair,
        pairing::{Options, Progress, compare},
        tally::Verdict,
    },
    keys::Prefixes,
    render::{self, Compared, Report},
};

/// Pairs that are compared at a time.
const AT_A_TIME: usize = 8;
/// Between two reports of progress.
const PROGRESS: Duration = Duration::from_millis(500);

/// Runs the verb. What the process ends with is the verdict.
pub(super) async fn run(arguments: &cli::Compare) -> Result<ExitCode> {
    let options = Options {
        sample: (!arguments.full).then_some(arguments.sample.get()),
        prefixes: Prefixes(arguments.prefixes.clone()),
        rounds: arguments.rounds,
        wait: arguments.wait,
        rate: arguments.rate,
        show: arguments.show,
        patience: arguments.timeout,
    };
    let pairs: Vec<&Pair> = arguments.pairs.iter().flat_map(|pairs| &pairs.0).collect();
    let progress = Arc::new(Progress::default());
    let reporting = io::stderr().is_terminal().then(|| tokio::spawn(report(progress.clone())));
    let compared: Vec<Compared> = stream::iter(pairs)
        .map(|pair| async {
            let found = compare(pair, &options, &progress).await;
            Compared { pair: pair.clone(), found: found.map_err(|error| format!("{error:#}")) }
        })
        .buffered(AT_A_TIME)
        .collect()
        .await;
    if let Some(reporting) = reporting {
        reporting.abort();
        eprint!("\r\x1b[K");
    }
    warn(&compared);
    let report = Report::new(
        compared,
        options.sample.is_some(),
        arguments.allow.map(|share| share.percent() / 100.0).unwrap_or_default(),
    );
    if arguments.json {
        println!("{}", render::comparison_json(&report).context("cannot write JSON")?);
    } else {
        print!("{}", render::comparison_table(&report));
    }
    Ok(ExitCode::from(code(&report)))
}

/// As the help of `compare` says.
fn code(report: &Report) -> u8 {
    if report.failed() > 0 {
        return 1;
    }
    match report.verdict() {
        Verdict::Same => 0,
        Verdict::Missing => 10,
        Verdict::Wrong => 11,
        Verdict::Unproven => 12,
    }
}

fn warn(compared: &[Compared]) {
    for Compared { pair, found } in compared {
        let Ok(found) = found else { continue };
        if found.listed[0] == 0 {
            log::warn!("{} holds no items", pair.old);
        }
        if found.won > 0 {
            log::warn!(
                "{} items of {} were marked as stale, and asking for them has taken the right to renew them from \
                 clients: they are renewed when they expire, or are set",
                found.won,
                pair.old
            );
        }
    }
}

/// On a terminal, until it is told to stop.
async fn report(progress: Arc<Progress>) {
    loop {
        sleep(PROGRESS).await;
        let of = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        eprint!("\r{} keys compared, {} differ", of(&progress.looked_at), of(&progress.differ));
    }
}
