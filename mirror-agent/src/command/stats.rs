//! `stats`: shows counters.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::{
    cli,
    kernel::{failure::Failure, pins::Store},
    output,
    stats::snapshot,
};

/// Runs the verb.
pub(super) async fn run(store: &Store, arguments: &cli::Stats) -> Result<()> {
    let interface = arguments.interface.as_deref();
    let mut before: Option<(Vec<snapshot::Snapshot>, Instant)> = None;
    loop {
        let (now, at) = (snapshot::read_all(store, interface)?, Instant::now());
        if let Some(interface) = interface
            && now.is_empty()
        {
            bail!(Failure::NotAttached { role: None, interface: interface.to_owned() });
        }
        if arguments.json {
            output::line(&output::stats_json(&now))?;
        } else {
            let old = before
                .as_ref()
                .map(|(old, then)| (old.as_slice(), at.duration_since(*then).as_secs_f64()));
            output::print(&output::stats_table(&now, old))?;
        }
        if !arguments.follow {
            return Ok(());
        }
        before = Some((now, at));
        tokio::time::sleep(arguments.interval).await;
    }
}
