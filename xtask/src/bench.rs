//! `bench`: what mirroring costs, measured in one run whose sides alternate.
//!
//! | module | what it is |
//! |---|---|
//! | [`site`] | the lab: who runs on which CPU |
//! | [`side`] | what is compared: bare, the kernel's own copies of two kinds, our copies, mirrored |
//! | [`dup`] | the kernel's own copies by nftables |
//! | [`data`] | what servers hold |
//! | [`steady`] | a load whose requests all cost the same, for small differences |
//! | [`added`] | what a copy adds to a request, side by side |
//! | [`spread`] | what differences say, and whether they say enough |
//! | [`load`] | clients: closed loop and fixed rate, with latencies |
//! | [`awake`] | CPUs that wait awake |
//! | [`processor`] | how busy the CPUs were |
//! | [`lag`] | how long the new server is behind |
//! | [`production`] | rates and latencies of production, side by side |
//! | [`cpu`] | the new host's CPU time, mirrored and served directly |
//! | [`statistics`] | the kernel's own count of time in programs |
//! | [`programs`] | time in each program under load, by kind of packet |
//! | [`alone`] | time in each program without load |
//! | [`flows`] | time in each program with few and with many connections |
//! | [`acks`] | how many copies only acknowledge |
//! | [`loss`] | what is applied of copies that the network loses |
//! | [`report`] | tables and JSON |

mod acks;
mod added;
mod alone;
mod awake;
mod cpu;
mod data;
mod dup;
mod flows;
mod lag;
mod load;
mod loss;
mod processor;
mod production;
mod programs;
mod report;
mod side;
mod site;
mod spread;
mod statistics;
mod steady;

use std::{path::PathBuf, time::Duration};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

use self::{awake::Awake, processor::Meter, report::Report, site::Site};
use crate::{build, install, interrupt::Interrupt, process::target_dir};

/// How long to look at the machine before it has anything to do.
const BACKGROUND: Duration = Duration::from_secs(2);

/// How much to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Times that each side has its turn, where small differences are looked for: more make intervals narrower
    #[arg(long, value_name = "N", default_value = "15", value_parser = clap::value_parser!(u16).range(1..=1000))]
    turns: u16,
    /// Times that everything else is measured
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// Seconds of each kind of load in a round
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Two turns and one short round, to see that it works: too little to tell anything
    #[arg(long, conflicts_with_all = ["turns", "rounds", "seconds", "connections"])]
    quick: bool,
    /// Measure also what takes long: many connections, and a network that loses copies
    #[arg(long, conflicts_with = "only")]
    all: bool,
    /// Most connections of the test with many
    #[arg(long, value_name = "N", default_value = "100000", value_parser = clap::value_parser!(u32).range(10..=100_000))]
    connections: u32,
    /// Let idle CPUs sleep. To wake them is dear, most of all in a virtual machine, and production pays
    #[arg(long)]
    sleep: bool,
    /// Measure only this; may be repeated
    #[arg(long, value_name = "PART")]
    only: Vec<Part>,
    /// Where to write the figures; target/bench.json by default
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// What a copy adds to a request of production, side by side
    Added,
    /// Rates and latencies of production, and CPU time of the new host
    Load,
    /// Time in each program
    Programs,
    /// How many copies only acknowledge
    Acks,
    /// Many connections
    Flows,
    /// A network that loses copies
    Loss,
}

impl Part {
    /// Whether it is measured unless something else is asked for. What is not takes many minutes.
    fn usual(self) -> bool {
        !matches!(self, Self::Flows | Self::Loss)
    }
}

/// How long and how often.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Of sides that are compared.
    turns: usize,
    rounds: usize,
    turn: Duration,
    connections: usize,
    /// Over many connections.
    requests: usize,
}

impl Plan {
    fn new(options: &Options) -> Result<Self> {
        if options.quick {
            let turn = Duration::from_secs(1);
            return Ok(Self { turns: 2, rounds: 1, turn, connections: 1000, requests: 10_000 });
        }
        Ok(Self {
            turns: usize::from(options.turns),
            rounds: usize::from(options.rounds),
            turn: Duration::from_secs(options.seconds),
            connections: usize::try_from(options.connections)?,
            requests: 100_000,
        })
    }
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "the bench makes network namespaces and loads kernel programs: run it as root"
    );
    let plan = Plan::new(options)?;
    install::lab_tools()?;
    let agent = build::agent()?;
    // SAFETY: this program has no other thread yet that could read the environment.
    unsafe { std::env::set_var("MIRROR_AGENT", &agent) };
    let interrupt = Interrupt::listen()?;
    let meter = Meter::start()?;
    interrupt.sleep(BACKGROUND)?;
    let background: Vec<f64> =
        meter.busy()?.into_iter().map(|busy| busy / BACKGROUND.as_secs_f64()).collect();
    ensure!(
        background.len() > site::NEW,
        "the bench keeps old and new hosts on a CPU each: there is one"
    );
    let mut report = Report::default();
    let awake = if options.sleep { None } else { Awake::request() };
    report.environment(&agent, &background, awake.is_some());
    let wanted = |part: Part| {
        let asked_for = options.only.contains(&part);
        asked_for || options.only.is_empty() && (options.all || part.usual())
    };
    if [Part::Added, Part::Load, Part::Programs, Part::Acks].into_iter().any(wanted) {
        let site = Site::new();
        if wanted(Part::Added) {
            added::measure(&site, plan, &interrupt, &mut report)?;
        }
        if wanted(Part::Load) {
            let rate = production::measure(&site, plan, &interrupt, &mut report)?;
            cpu::measure(&site, plan, rate, &interrupt, &mut report)?;
        }
        if wanted(Part::Programs) {
            alone::measure(&site, &interrupt, &mut report)?;
            programs::measure(&site, plan, &interrupt, &mut report)?;
        }
        if wanted(Part::Acks) {
            acks::measure(&site, plan, &interrupt, &mut report)?;
        }
    }
    if wanted(Part::Flows) {
        flows::measure(plan, &interrupt, &mut report)?;
    }
    if wanted(Part::Loss) {
        loss::measure(plan, &interrupt, &mut report)?;
    }
    report.write(&options.json.clone().unwrap_or_else(|| target_dir().join("bench.json")))
}
