//! `demo`: the whole idea on one machine, with the proof that it worked.
//!
//! | module | what it is |
//! |---|---|
//! | [`content`] | what is stored: the same for the same key, on every run |
//! | [`load`] | the clients |
//! | [`live`] | the table, and what it is read from |
//! | [`proof`] | what has to be true at the end |

mod content;
mod live;
mod load;
mod proof;

use std::{env, time::Duration};

use anyhow::{Result, bail, ensure};
use clap::Args;
use console::style;
use mirror_tests::{Host, capture::Capture, mirror::Mirror};

use self::{live::View, load::Load};
use crate::{build, install, interrupt::Interrupt};

/// Connections that are older than the mirror.
const OLD_CONNECTIONS: usize = 20;
/// Connections that are opened while it runs.
const NEW_CONNECTIONS: usize = 5;
/// How long the clients work before anything is attached.
const WARM_UP: Duration = Duration::from_secs(5);

/// How long to watch.
#[derive(Args)]
pub(crate) struct Options {
    /// Seconds of load while the mirror runs
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "the demo makes network namespaces and loads kernel programs: run it as root"
    );
    install::lab_tools()?;
    let agent = build::agent()?;
    // SAFETY: this program has no other thread yet that could read the environment.
    unsafe { env::set_var("MIRROR_AGENT", agent) };
    let interrupt = Interrupt::listen()?;
    let result = in_a_lab(Duration::from_secs(options.seconds), &interrupt);
    println!("\nThe lab is taken down.");
    result
}

/// The story. All that it makes is gone when it returns, or panics.
fn in_a_lab(watch: Duration, interrupt: &Interrupt) -> Result<()> {
    let mirror = Mirror::idle();
    interrupt.check()?;
    introduce(&mirror);

    heading("Clients are at work");
    println!("{OLD_CONNECTIONS} persistent connections to the old host; the new one is cold.");
    let mut load = Load::default();
    load.add(&mirror, OLD_CONNECTIONS, "before")?;
    let mut view = View::new();
    view.follow(&mirror, &load, WARM_UP, interrupt)?;

    heading("The mirror is attached, under load");
    let at_client = Capture::start(&mirror.client, "eth0", &proof::capture_filter(&mirror));
    let port = mirror.port();
    let map = format!("{port}={}:{port}", mirror.new.v4());
    command(&mirror.new, "new", &format!("drop eth0 --port {port}"))?;
    command(&mirror.old, "old", &format!("attach eth0 --map {map}"))?;
    load.mirror_is_attached();
    load.add(&mirror, NEW_CONNECTIONS, "fresh")?;
    println!(
        "Work goes on, on the {OLD_CONNECTIONS} connections and on {NEW_CONNECTIONS} new ones."
    );
    view.mirror_is_attached(&map);
    view.follow(&mirror, &load, watch, interrupt)?;
    let done = load.stop()?;

    heading("The counters of the agent, now that the clients have stopped");
    let counters = proof::settle(&mirror, &map, interrupt)?;
    command(&mirror.old, "old", "stats")?;
    command(&mirror.new, "new", "stats")?;

    heading("Proof");
    let mut checks = proof::of_content(&mirror, &done, interrupt)?;
    checks.extend(proof::of_counters(&counters));
    println!("Now the mirror goes:");
    command(&mirror.old, "old", "detach eth0")?;
    command(&mirror.new, "new", "detach eth0")?;
    checks.push(proof::of_silence(&mirror, &at_client.stop()));
    verdict(&checks)
}

/// Who is who.
fn introduce(mirror: &Mirror) {
    heading("Three hosts on a switch, each a network namespace");
    let port = mirror.port();
    println!("client  {}", mirror.client.v4());
    for (name, host, server) in
        [("old", &mirror.old, &mirror.old_server), ("new", &mirror.new, &mirror.new_server)]
    {
        let version = server.stats(host).remove("version").unwrap_or_default();
        println!("{name}     {}   memcached {version} at port {port}", host.v4());
    }
    println!(
        "The commands below also get --bpffs: these hosts share a file system, real ones do not."
    );
}

fn heading(text: &str) {
    println!("\n{}", style(text).bold());
}

/// Runs the agent on a host, as one would type it, and shows what it says.
fn command(host: &Host, name: &str, arguments: &str) -> Result<()> {
    println!("{}", style(format!("{name}# mirror-agent {arguments}")).cyan());
    let output = host.agent(arguments);
    print!("{}{}", text(&output.stdout), text(&output.stderr));
    ensure!(output.status.success(), "mirror-agent {arguments} failed ({})", output.status);
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Prints the result of every check; an error unless all passed.
fn verdict(checks: &[proof::Check]) -> Result<()> {
    println!();
    for check in checks {
        let word = if check.passed { style("PASS").green() } else { style("FAIL").red().bold() };
        println!("{word}  {}", check.what);
    }
    let failed = checks.iter().filter(|check| !check.passed).count();
    if failed > 0 {
        bail!("the proof failed: {failed} of {} checks", checks.len());
    }
    Ok(())
}
