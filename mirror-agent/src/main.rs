//! `mirror-agent`: copies live memcached traffic to a new host, in the kernel.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use mirror_agent::{cli::Cli, command, output};
use tokio::runtime;

fn main() -> ExitCode {
    let cli = Cli::parse();
    env_logger::Builder::from_env(
        env_logger::Env::default().default_filter_or("warn,packets=info"),
    )
    .format_timestamp(None)
    .format_target(false)
    .init();
    match run(cli) {
        Ok(code) => code,
        Err(error) if output::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mirror-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    let done = runtime.block_on(command::run(cli));
    // Threads that still read what nobody needs any more end with the process.
    runtime.shutdown_background();
    done
}
