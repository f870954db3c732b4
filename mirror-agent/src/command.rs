//! One verb per file.

mod attach;
mod compare;
mod detach;
mod drop;
mod edit;
mod foreground;
mod guard;
mod keys;
mod list;
mod map;
mod port;
mod stats;
mod status;
mod survey;
mod watch;

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    cli::{Cli, Map, Port, Server, Verb},
    exit::Exit,
    kernel::{pins::Store, requirements},
};

/// Does what was typed; what the process ends with, where nothing failed.
///
/// # Errors
///
/// Where what was typed cannot be done.
pub async fn run(cli: Cli) -> Result<ExitCode> {
    let store = || {
        requirements::check()?;
        Store::open(&cli.bpffs)
    };
    // For verbs that look, and mount nothing.
    let seen = || {
        let store = store()?;
        if let Err(why) = store.check_mounted() {
            log::warn!("{why:#}");
        }
        anyhow::Ok(store)
    };
    if matches!(cli.verb, Verb::Attach(_) | Verb::Drop(_)) {
        requirements::check_not_real_time()?;
    }
    match cli.verb {
        Verb::Attach(arguments) => attach::run(&store()?, &arguments).await?,
        Verb::Drop(arguments) => drop::run(&store()?, &arguments).await?,
        Verb::Guard(arguments) => guard::run(&store()?, &arguments).await?,
        Verb::Port(arguments @ Port::List(_)) => port::run(&seen()?, &arguments).await?,
        Verb::Port(arguments) => port::run(&store()?, &arguments).await?,
        Verb::Server(arguments @ Server::List(_)) => guard::change(&seen()?, &arguments).await?,
        Verb::Server(arguments) => guard::change(&store()?, &arguments).await?,
        Verb::Map(arguments @ Map::List(_)) => map::run(&seen()?, &arguments).await?,
        Verb::Map(arguments) => map::run(&store()?, &arguments).await?,
        Verb::Stats(arguments) => match &arguments.explain {
            Some(name) => stats::explain(name)?,
            None => stats::run(&seen()?, &arguments).await?,
        },
        Verb::Status(arguments) => return status::run(seen, &arguments).await,
        Verb::Detach(arguments) => detach::run(&store()?, &arguments).await?,
        // These ask servers, and need neither privileges nor the kernel's programs.
        Verb::Keys(arguments) => keys::run(&arguments).await?,
        Verb::Compare(arguments) => return compare::run(&arguments).await,
    }
    Ok(Exit::Done.into())
}
