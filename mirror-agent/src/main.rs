//! `mirror-agent`: copies live memcached traffic to a new host, in the kernel.

use std::process::ExitCode;

use clap::Parser as _;
use mirror_agent::{cli::Cli, command};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    env_logger::Builder::from_env(
        env_logger::Env::default().default_filter_or("warn,packets=info"),
    )
    .format_timestamp(None)
    .format_target(false)
    .init();
    match command::run(cli).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("mirror-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}
