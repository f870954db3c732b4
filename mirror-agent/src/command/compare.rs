//! `compare`: whether new memcacheds hold what old ones hold.

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{JoinHandle, spawn},
    time::Duration,
};

use anyhow::{Context as _, Result};
use futures_util::{StreamExt as _, stream};

use crate::{
    cli,
    inspect::{
        compare::{
            pair::Pair,
            run::{Options, Progress, compare},
            tally::Verdict,
        },
        filter::Prefixes,
    },
    output::{self, Compared, Report},
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
        bandwidth: u64::from(arguments.bandwidth) * 1000 / 8,
        show: arguments.show,
        by_gets: arguments.gets,
        patience: arguments.timeout,
    };
    let pairs: Vec<&Pair> = arguments.pairs.iter().flat_map(|pairs| &pairs.0).collect();
    let progress = Arc::new(Progress::default());
    let reporting = io::stderr().is_terminal().then(|| Reporting::start(progress.clone()));
    let compared: Vec<Compared> = stream::iter(pairs)
        .map(|pair| async {
            let found = compare(pair, &options, &progress).await;
            Compared { pair: pair.clone(), found: found.map_err(|error| format!("{error:#}")) }
        })
        .buffered(AT_A_TIME)
        .collect()
        .await;
    drop(reporting);
    warn(&compared);
    let report = Report::new(
        compared,
        arguments.allow.map(|share| share.percent() / 100.0).unwrap_or_default(),
    );
    let text = match arguments.json {
        true => output::comparison_json(&report).context("cannot write JSON")? + "\n",
        false => output::comparison_table(&report),
    };
    match output::print(&text) {
        // Who reads the output may have enough before its end; the verdict is the exit code.
        Err(error) if output::is_closed(&error) => {}
        written => written?,
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
        if !found.has_ttl {
            log::warn!("{pair}: times to live are not compared, since gets does not tell them");
        }
        for (server, (listed, won)) in
            [&pair.old, &pair.new].into_iter().zip(found.listed.into_iter().zip(found.won))
        {
            if listed == 0 {
                log::warn!("{server} holds no items");
            }
            if won > 0 {
                log::warn!(
                    "{won} items of {server} were marked as stale, and asking for them has taken the right to renew \
                     them from clients: they are renewed when they expire, or are set"
                );
            }
        }
    }
}

/// Reports of progress, on a thread of their own: a terminal may stand still.
struct Reporting {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Reporting {
    fn start(progress: Arc<Progress>) -> Self {
        let (stop, stopped) = channel::<()>();
        let thread = spawn(move || {
            let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
            // Nothing is ever sent: it ends with the sender.
            while stopped.recv_timeout(PROGRESS) == Err(RecvTimeoutError::Timeout) {
                let (looked_at, differ) = (of(&progress.looked_at), of(&progress.differ));
                output::progress(&format!("{looked_at} keys compared, {differ} differ"));
            }
            output::clear_progress();
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Reporting {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
