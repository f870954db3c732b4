//! Developer tasks: `cargo xtask TASK`. One file per task; each is a variant of `Task` here.

mod bench;
mod bpf_toolchain;
mod build;
mod ci;
mod demo;
mod field;
mod fuzz;
mod install;
mod interrupt;
mod kernels;
mod lint;
mod process;
mod simulate;
mod soak;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds and tests mirror-agent.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Tasks {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what is missing and build target/release/mirror-agent
    Build(build::Options),
    /// Install what is missing, build, and run every test: unit, property, end to end
    Test(test::Options),
    /// Run the tests of situations in the field; with --all, all tests that take long; as root
    Field(field::Options),
    /// Run the simulation for many seeds, or for one that failed
    Simulate(simulate::Options),
    /// Fuzz what reads packets and decides about them, on nightly
    Fuzz(fuzz::Options),
    /// Check formatting, layout, dependencies, clippy and documentation; warnings are errors
    Lint(lint::Options),
    /// Check the layout: cycles, rooms, long files, what no page names; part of lint
    Tidy(tidy::Options),
    /// Write docs/counters.md from the doc comments of the counters
    Counters(tidy::CountersOptions),
    /// Lint, then test
    Ci(ci::Options),
    /// Mirror live load between two hosts made for it, with a live table and a proof; as root
    Demo(demo::Options),
    /// Measure what mirroring costs, in a lab of its own; as root
    Bench(bench::Options),
    /// Everything at once for as long as is wanted, with faults of every kind, and a report; as root
    Soak(soak::Options),
    /// Run end-to-end tests on other kernels, in emulated machines: takes minutes; as root
    Kernels(kernels::Options),
}

fn main() -> ExitCode {
    let result = match Tasks::parse().task {
        Task::Build(options) => build::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Field(options) => field::run(&options),
        Task::Simulate(options) => simulate::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Lint(options) => lint::run(&options),
        Task::Tidy(options) => tidy::run(&options),
        Task::Counters(options) => tidy::write_counters(&options),
        Task::Ci(options) => ci::run(&options),
        Task::Demo(options) => demo::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Soak(options) => soak::run(&options),
        Task::Kernels(options) => kernels::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            // As a shell reports what Ctrl-C ended.
            if error.is::<interrupt::Interrupted>() {
                ExitCode::from(130)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}
