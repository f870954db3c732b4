//! `status`: shows what is attached where, since when, and how it does.

use std::process::ExitCode;

use anyhow::Result;

use super::survey;
use crate::{
    cli,
    kernel::{clock::Now, pins::Store},
    net::netlink::Network,
    output::{self, State, Verdict},
};

/// Runs the verb. What the process ends with, where nothing failed.
///
/// # Errors
///
/// Where the kernel does not say. Not with `--check`, which says so itself.
pub(super) async fn run(
    store: impl FnOnce() -> Result<Store>,
    arguments: &cli::Status,
) -> Result<ExitCode> {
    if arguments.check {
        return check(look(store, arguments).await);
    }
    let (store, network) = (store()?, Network::connect()?);
    let states = survey::all_with_notes(&store, &network, arguments.interface.as_deref()).await?;
    if arguments.json {
        output::line(&output::status_json(&states, Now::read()?.wall.as_secs_f64()))?;
    } else {
        output::print(&output::status_table(&states))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn look(
    store: impl FnOnce() -> Result<Store>,
    arguments: &cli::Status,
) -> Result<Vec<State>> {
    survey::all(&store()?, &Network::connect()?, arguments.interface.as_deref()).await
}

/// `--check`: what cannot be told is UNKNOWN.
fn check(states: Result<Vec<State>>) -> Result<ExitCode> {
    let (verdict, line) = match states {
        Ok(states) => (Verdict::of(&states), output::check_line(&states)),
        Err(error) => (Verdict::Unknown, format!("{error:#}")),
    };
    output::line(&format!("{} {line}", verdict.name()))?;
    Ok(ExitCode::from(verdict.code()))
}
