//! Time in each program under real load, by kind of packet.

use std::{
    io::{Read as _, Write as _},
    time::Instant,
};

use anyhow::{Context as _, Result, anyhow};
use mirror_tests::{Host, agent::Counters, client::Connection, foreign, mirror::PORT};
use nix::sys::socket::{setsockopt, sockopt};

use super::{
    Plan,
    load::{self, Clients},
    report::{Cell, Report},
    side::Side,
    site::{OTHER_PORT, PRODUCTION, Site},
    statistics::{Statistics, Time, Times},
};
use crate::interrupt::Interrupt;

/// A value whose replies clients acknowledge many times. Only the old server has it.
const LARGE: usize = 500_000;
const LARGE_KEY: &str = "large";
/// Receive buffer of the client that fetches it. Small, for more acknowledgements.
const BUFFER: usize = 16_384;

/// Where the mirror is looked at.
struct Bench<'a> {
    site: &'a Site,
    plan: Plan,
    interrupt: &'a Interrupt,
}

/// A host of one role.
struct Role<'a> {
    host: &'a Host,
    name: &'static str,
    ingress: &'static str,
    egress: &'static str,
}

/// What a load did to one host's programs.
struct Observed {
    ingress: Time,
    egress: Time,
    before: Counters,
    after: Counters,
}

impl Observed {
    /// How far a counter of the agent's went.
    fn counted(&self, name: &str) -> u64 {
        let of = |counters: &Counters| counters.get(name).copied().unwrap_or(0);
        of(&self.after) - of(&self.before)
    }
}

pub(crate) fn measure(
    site: &Site,
    plan: Plan,
    interrupt: &Interrupt,
    report: &mut Report,
) -> Result<()> {
    let bench = Bench { site, plan, interrupt };
    let _statistics = Statistics::on()?;
    site.old_server.inside(&site.old).set(LARGE_KEY, &[b'l'; LARGE]);
    let mut rows = vec![bench.floor()?];
    rows.extend(bench.source()?);
    rows.extend(bench.target()?);
    report.table(
        "Time in programs under load",
        "ns for each packet, with the kernel's own time-keeping in it (the first row, a program that \
         only counts, is mostly that).\nA run of source_ingress that copies has everything in it until \
         the copy is in the other interface's queue.",
        &["program", "packets", "how many", "ns"],
        &rows,
    );
    Ok(())
}

fn row(program: &str, packets: &str, count: u64, nanoseconds: f64) -> Vec<Cell> {
    vec![Cell::text(program), Cell::text(packets), Cell::count(count), Cell::Number(nanoseconds, 0)]
}

impl Bench<'_> {
    /// The least that these statistics can show.
    fn floor(&self) -> Result<Vec<Cell>> {
        eprintln!("time in programs: one that only counts");
        let host = &self.site.old;
        let counter = foreign::Counter::tcx_ingress(host);
        self.small(host, OTHER_PORT)?;
        let (_, time) = Time::of(host, counter.id())?;
        Ok(row("one that only counts", "any", time.runs, time.each()))
    }

    fn source(&self) -> Result<Vec<Vec<Cell>>> {
        let old = &self.site.old;
        let role =
            Role { host: old, name: "source", ingress: "source_ingress", egress: "source_egress" };
        let mut rows = Vec::new();
        let running = Side::BlackHole.start(self.site);
        let other = self.observe(&role, "another port", || self.small(old, OTHER_PORT))?;
        rows.push(row(role.ingress, "of another port", other.ingress.runs, other.ingress.each()));
        rows.push(row(role.egress, "not copies", other.egress.runs, other.egress.each()));
        let small = self.observe(&role, "requests", || self.small(old, PORT))?;
        rows.push(row(
            role.ingress,
            "requests, copied into the black hole",
            small.ingress.runs,
            small.ingress.each(),
        ));
        let copies = small.counted("mirrored");
        let rest = less(small.egress, small.counted("egress_other"), other.egress.each());
        rows.push(row(role.egress, "copies: rewritten, then counted", copies, over(rest, copies)));
        let mut gets = 0;
        let large = self.observe(&role, "acknowledgements", || {
            gets = self.large()?;
            Ok(())
        })?;
        let acks = large.counted("mirrored").saturating_sub(gets);
        let rest = less(large.ingress, gets, small.ingress.each());
        rows.push(row(
            role.ingress,
            "bare ACKs, copied into the black hole",
            acks,
            over(rest, acks),
        ));
        drop(running);

        let _running = Side::One.start(self.site);
        let wire = self.observe(&role, "requests over the wire", || self.small(old, PORT))?;
        rows.push(row(
            role.ingress,
            "requests, copied to 1 target",
            wire.ingress.runs,
            wire.ingress.each(),
        ));
        Ok(rows)
    }

    fn target(&self) -> Result<Vec<Vec<Cell>>> {
        let (old, new) = (&self.site.old, &self.site.new[0]);
        let role =
            Role { host: new, name: "target", ingress: "target_ingress", egress: "target_egress" };
        let mut rows = Vec::new();
        let _running = Side::One.start(self.site);
        let other = self.observe(&role, "another port", || self.small(new, OTHER_PORT))?;
        let real = self.observe(&role, "real clients", || self.small(new, PORT))?;
        let small = self.observe(&role, "requests", || self.small(old, PORT))?;
        for (packets, seen) in
            [("of another port", &other), ("of real clients", &real), ("of mirrored flows", &small)]
        {
            rows.push(row(role.ingress, packets, seen.ingress.runs, seen.ingress.each()));
            rows.push(row(role.egress, packets, seen.egress.runs, seen.egress.each()));
        }
        let large = self.observe(&role, "acknowledgements", || self.large().map(|_| ()))?;
        let acks = large.counted("discarded_pure_ack");
        let others = large.ingress.runs.saturating_sub(acks);
        let rest = less(large.ingress, others, small.ingress.each());
        rows.push(row(role.ingress, "bare ACKs of mirrored flows", acks, over(rest, acks)));
        Ok(rows)
    }

    fn observe(
        &self,
        role: &Role<'_>,
        what: &str,
        load: impl FnOnce() -> Result<()>,
    ) -> Result<Observed> {
        self.interrupt.check()?;
        eprintln!("time in programs: {}, {what}", role.name);
        let (before, then) = (role.host.settled(role.name), Times::of(role.host)?);
        load()?;
        let (after, now) = (role.host.settled(role.name), Times::of(role.host)?);
        let time = |name: &str| Ok::<_, anyhow::Error>(now.get(name)?.since(then.get(name)?));
        Ok(Observed { ingress: time(role.ingress)?, egress: time(role.egress)?, before, after })
    }

    /// The usual load, for one turn.
    fn small(&self, host: &Host, port: u16) -> Result<()> {
        let mut clients = Clients::connect(&self.site.client, host.v4(), port, self.interrupt);
        clients.closed_loop(self.plan.turn).map(|_| ())
    }

    /// Requests with large replies, so that most packets from the client are bare ACKs. Returns how
    /// many requests.
    fn large(&self) -> Result<u64> {
        // On a thread of its own, as it is kept on a CPU.
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| self.fetch_large());
            worker.join().unwrap_or_else(|_| Err(anyhow!("the client panicked")))
        })
    }

    fn fetch_large(&self) -> Result<u64> {
        load::stay_on(PRODUCTION)?;
        let mut stream = Connection::open(&self.site.client, self.site.old.v4(), PORT).stream;
        setsockopt(&stream, sockopt::RcvBuf, &BUFFER).context("cannot set a buffer's size")?;
        let mut reply =
            vec![0; format!("VALUE {LARGE_KEY} 0 {LARGE}\r\n\r\nEND\r\n").len() + LARGE];
        let start = Instant::now();
        let mut gets = 0;
        while start.elapsed() < self.plan.turn {
            self.interrupt.check()?;
            stream.write_all(format!("get {LARGE_KEY}\r\n").as_bytes())?;
            stream.read_exact(&mut reply).context("the large value did not come")?;
            gets += 1;
        }
        Ok(gets)
    }
}

/// The nanoseconds of `time` without those of `runs` that took `each`.
fn less(time: Time, runs: u64, each: f64) -> f64 {
    time.nanoseconds as f64 - runs as f64 * each
}

fn over(nanoseconds: f64, count: u64) -> f64 {
    nanoseconds / count.max(1) as f64
}
