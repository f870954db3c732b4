//! One verb per file.

mod attach;
mod detach;
mod drop;
mod foreground;
mod guard;
mod keys;
mod map;
mod plan;
mod stats;
mod status;

use anyhow::Result;

use crate::{
    cli::{Cli, Verb},
    pins::Store,
    preflight,
};

/// Does what was typed.
pub async fn run(cli: Cli) -> Result<()> {
    let store = || {
        preflight::check()?;
        Store::open(&cli.bpffs)
    };
    match cli.verb {
        Verb::Attach(arguments) => attach::run(&store()?, &arguments).await,
        Verb::Drop(arguments) => drop::run(&store()?, &arguments).await,
        Verb::Guard(arguments) => guard::run(&store()?, &arguments).await,
        Verb::Map(arguments) => map::run(&store()?, &arguments).await,
        Verb::Stats(arguments) => stats::run(&store()?, &arguments).await,
        Verb::Status(arguments) => status::run(&store()?, &arguments).await,
        Verb::Detach(arguments) => detach::run(&store()?, &arguments).await,
        // It asks a server, and needs neither privileges nor the kernel's programs.
        Verb::Keys(arguments) => keys::run(&arguments).await,
    }
}
