//! `soak`: everything at once, for as long as is wanted, and a report.
//!
//! | module | what it is |
//! |---|---|
//! | [`clients`] | who asks production for what, all the time |
//! | [`trouble`] | what goes wrong meanwhile |
//! | [`memory`] | whether memory grows |
//!
//! Always checked: production answers every client as it should; the new host holds nothing that no
//! client wrote; none of its packets leaves; after each trouble, what clients store arrives again; memory
//! does not grow. Whatever fails ends the soak, with the seed to repeat it.

mod clients;
mod memory;
mod trouble;

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use comfy_table::{Table, presets::NOTHING};
use mirror_tests::{
    agent::Counters, history::History, memcached::Memcached, mirror::Mirror, random::Random,
};

use self::{
    clients::{Clients, Prober},
    memory::Memory,
    trouble::Trouble,
};
use crate::{build, install, interrupt::Interrupt};

/// Between the end of a trouble and the next one.
const REST: Duration = Duration::from_secs(2);

/// How long, and which troubles.
#[derive(Args)]
pub(crate) struct Options {
    /// How long
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    minutes: u64,
    /// Which order of troubles: another one each time, if it is not said
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
}

/// What happened.
#[derive(Default)]
struct Report {
    /// How often each trouble came.
    troubles: BTreeMap<&'static str, usize>,
    /// Rounds of requests that it took until all arrived again, at the worst.
    recovery: usize,
    /// Counters of targets that are gone by now, and of the last.
    target: BTreeMap<String, u64>,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "the soak makes network namespaces and loads kernel programs: run it as root"
    );
    install::lab_tools()?;
    let agent = build::agent()?;
    // SAFETY: this program has no other thread yet that could read the environment.
    unsafe { std::env::set_var("MIRROR_AGENT", agent) };
    let interrupt = Interrupt::listen()?;
    let seed = match options.seed {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
    };
    println!("{} minutes; the same again with --seed {seed}", options.minutes);
    let time = Duration::from_secs(60 * options.minutes);
    in_a_lab(time, seed, &interrupt).with_context(|| format!("the soak failed with --seed {seed}"))
}

fn in_a_lab(time: Duration, seed: u64, interrupt: &Interrupt) -> Result<()> {
    let mut mirror = Mirror::idle();
    mirror.start();
    let leaks = mirror.watch_leaks();
    let tail = mirror.old.agent_tail();
    let mut random = Random::new(&seed.to_string());
    let (mut report, mut memory) = (Report::default(), Memory::default());
    let began = Instant::now();

    let history = thread::scope(|scope| {
        let server = mirror.old.v4();
        let clients = Clients::start(scope, &mirror.client, server);
        let mut prober = Prober::new(&mirror.client, server);
        let mut left = Vec::new();
        while began.elapsed() < time && interrupt.check().is_ok() {
            // Each once, in any order, and again.
            if left.is_empty() {
                left = Trouble::ALL.to_vec();
            }
            let trouble = left.swap_remove(random.below(left.len()));
            eprintln!("{:4} s  {}", began.elapsed().as_secs(), trouble.name());
            *report.troubles.entry(trouble.name()).or_default() += 1;
            if trouble == Trouble::NewServerRestarts {
                mirror.new_server = restarted(&mirror.new_server, &mirror);
            } else {
                trouble.happen(&mirror, &mut report.target);
            }
            ensure!(clients.are_well(), "production failed a client during: {}", trouble.name());
            let rounds = prober
                .until_well(&mirror.new_server, &mirror.new)
                .with_context(|| format!("connections stay behind after: {}", trouble.name()))?;
            report.recovery = report.recovery.max(rounds);
            memory.sample(&mirror, &tail);
            if interrupt.sleep(REST).is_err() {
                break;
            }
        }
        let mut history = clients.stop()?;
        prober.add_to(&mut history);
        Ok::<_, anyhow::Error>(history)
    })?;
    trouble::add(&mut report.target, &mirror.new.settled("target"));
    mirror.old.settled("source");
    // What follows asks over the same wires.
    leaks.assert_none();
    let held = judge(&history, &mirror);
    let compared = compared(&mirror, held)?;
    report.print(began.elapsed(), held, &compared, &mirror, &memory);
    memory.judge()
}

/// A new server in place of one that is gone with all that it held.
fn restarted(server: &Memcached, mirror: &Mirror) -> Memcached {
    server.signal(nix::sys::signal::Signal::SIGKILL);
    thread::sleep(Duration::from_millis(500));
    Memcached::start(&mirror.new, mirror.port())
}

/// Keys that production holds, and those that the new host has with the same value. Panics if either
/// holds what nobody wrote.
fn judge(history: &History, mirror: &Mirror) -> [usize; 2] {
    let old = history.judge(&mirror.old_server, &mirror.old);
    let new = history.judge(&mirror.new_server, &mirror.new);
    [old.len(), old.iter().filter(|(key, value)| new.get(*key) == Some(value)).count()]
}

/// What `compare` says, which has to agree with what was read.
fn compared(mirror: &Mirror, [keys, same]: [usize; 2]) -> Result<Counters> {
    let (counts, verdict) = mirror.compare();
    let of_old = counts["compared"] - counts["extra"] - counts["gone"];
    ensure!(
        of_old == keys as u64 && counts["same"] == same as u64,
        "of {keys} keys, {same} are the same, but `compare` says: {verdict}, {counts:?}"
    );
    Ok(counts)
}

impl Report {
    fn print(
        &self,
        time: Duration,
        [keys, same]: [usize; 2],
        compared: &Counters,
        mirror: &Mirror,
        memory: &Memory,
    ) {
        let stat = |name| mirror.old_server.stat(&mirror.old, name);
        let mut rows = vec![
            ("time".to_owned(), format!("{} s", time.as_secs())),
            (
                "sets, gets at production".to_owned(),
                format!("{}, {}", stat("cmd_set"), stat("cmd_get")),
            ),
            ("connections at production".to_owned(), stat("total_connections").to_string()),
            ("keys at production; the same on the new host".to_owned(), format!("{keys}; {same}")),
            ("rounds until all was well, at the worst".to_owned(), self.recovery.to_string()),
        ];
        let open = |server: &Memcached, host| server.stat(host, "curr_connections");
        rows.push((
            "connections open: production; new host".to_owned(),
            format!(
                "{}; {}",
                open(&mirror.old_server, &mirror.old),
                open(&mirror.new_server, &mirror.new)
            ),
        ));
        rows.extend(
            self.troubles
                .iter()
                .map(|(name, times)| ((*name).to_owned(), format!("{times} times"))),
        );
        let differ = compared.iter().filter(|(_, count)| **count > 0);
        rows.extend(differ.map(|(name, count)| (format!("compare: {name}"), count.to_string())));
        let moved = self.target.iter().filter(|(_, count)| **count > 0);
        rows.extend(moved.map(|(name, count)| (format!("target: {name}"), count.to_string())));
        rows.extend(memory.rows());
        let mut table = Table::new();
        table.load_style(NOTHING);
        table.add_rows(rows.into_iter().map(|(name, value)| [name, value]));
        println!("\n{table}");
    }
}
