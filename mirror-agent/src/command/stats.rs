//! `stats`: health at a glance, and what the counters say.

use anyhow::{Result, bail};

use super::{survey, watch::Watch};
use crate::{
    cli,
    kernel::{clock::Now, pins::Store},
    net::netlink::Network,
    output,
    stats::meaning,
};

/// Runs the verb, but for `--explain`.
pub(super) async fn run(store: &Store, arguments: &cli::Stats) -> Result<()> {
    let network = Network::connect()?;
    if arguments.follow && !arguments.json {
        return follow(store, &network, arguments).await;
    }
    loop {
        let states = survey::all(store, &network, arguments.interface.as_deref()).await?;
        if arguments.json {
            output::line(&output::stats_json(&states, Now::read()?.wall.as_secs_f64()))?;
        } else if arguments.all {
            output::print(&output::stats_all(&states))?;
        } else {
            output::print(&output::stats_text(&states))?;
        }
        if !arguments.follow {
            return Ok(());
        }
        tokio::time::sleep(arguments.interval).await;
    }
}

/// A line for each attachment and interval, until nobody reads them any more.
async fn follow(store: &Store, network: &Network, arguments: &cli::Stats) -> Result<()> {
    let mut watch = Watch::default();
    loop {
        let attachments = survey::attachments(store, arguments.interface.as_deref())?;
        output::print(&watch.look(network, attachments).await?)?;
        tokio::time::sleep(arguments.interval).await;
    }
}

/// `stats --explain`: what the counter `name` means.
pub(super) fn explain(name: &str) -> Result<()> {
    let found = meaning::find(name);
    if !found.is_empty() {
        return output::print(&output::counter_text(name, &found));
    }
    match &meaning::near(name)[..] {
        [] => bail!("there is no counter {name}; `stats --all` shows all of what is attached"),
        near => bail!("there is no counter {name}; did you mean {}?", near.join(", ")),
    }
}
