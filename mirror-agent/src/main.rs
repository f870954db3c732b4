//! `mirror-agent`: copies live memcached traffic to a new host, in the kernel.

use std::{io::Write as _, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::Parser as _;
use log::Level;
use mirror_agent::{cli::Cli, command, exit::Exit, output};
use tokio::runtime;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr();
    match run(cli) {
        Ok(code) => code,
        Err(error) if output::is_closed(&error) => Exit::Done.into(),
        Err(error) => {
            output::note(&format!("error: {error:#}"));
            Exit::of(&error).into()
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

/// Lines begin as those of the command line's parser do: `error:`, `warning:`.
fn log_to_stderr() {
    let defaults = env_logger::Env::default().default_filter_or("warn,packets=info");
    env_logger::Builder::from_env(defaults)
        .format(|line, record| {
            let name = match record.level() {
                Level::Error => "error",
                Level::Warn => "warning",
                Level::Info => "info",
                Level::Debug => "debug",
                Level::Trace => "trace",
            };
            let style = line.default_level_style(record.level());
            writeln!(line, "{style}{name}:{style:#} {}", record.args())
        })
        .init();
}
