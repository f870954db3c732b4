//! Time in each program under real load, by kind of packet.

use std::{
    io::{Read as _, Write as _},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};
use mirror_tests::{Host, client::Connection, foreign, mirror::PORT};
use nix::sys::socket::{setsockopt, sockopt};

use super::{
    Plan,
    load::{self, Clients},
    report::{Cell, Report},
    side::Side,
    site::{OTHER_PORT, PRODUCTION, Site},
    statistics::{Statistics, Times},
};
use crate::interrupt::Interrupt;

/// A value whose replies clients acknowledge many times. Only the old server has it.
const LARGE: usize = 500_000;
const LARGE_KEY: &str = "large";
/// Receive buffer of the client that fetches it. Small, for more acknowledgements.
const BUFFER: usize = 16_384;
/// Time for what is on its way when clients have stopped.
const SETTLED: Duration = Duration::from_millis(300);

/// Where the mirror is looked at.
struct Bench<'a> {
    site: &'a Site,
    plan: Plan,
    interrupt: &'a Interrupt,
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
    let mut rows = bench.floor()?;
    rows.extend(bench.source()?);
    rows.extend(bench.target()?);
    report.table(
        "Time in programs under load",
        "ns for each run of a program, with the kernel's own time-keeping in it (the first row, a program that \
         only counts, is mostly that), and for\neach request. All programs that are loaded on the host, whatever \
         they are called. A run that copies has everything in it until\nthe copy is in another interface's queue.",
        &["host", "program", "packets", "runs", "ns\na run", "runs\na request", "ns\na request"],
        &rows,
    );
    Ok(())
}

impl Bench<'_> {
    /// The least that these statistics can show.
    fn floor(&self) -> Result<Vec<Vec<Cell>>> {
        let host = &self.site.old;
        let _counter = foreign::Counter::tcx_ingress(host);
        self.observe(host, "no mirror", "any", || self.small(host, OTHER_PORT))
    }

    fn source(&self) -> Result<Vec<Vec<Cell>>> {
        let old = &self.site.old;
        let mut rows = Vec::new();
        let mut add = |packets, load: &dyn Fn() -> Result<u64>| {
            rows.extend(self.observe(old, "old", packets, load)?);
            Ok::<_, anyhow::Error>(())
        };
        let running = Side::BlackHole.start(self.site)?;
        add("requests to another port", &|| self.small(old, OTHER_PORT))?;
        add("requests, copied into the black hole", &|| self.small(old, PORT))?;
        add("bare ACKs for the most part, likewise", &|| self.large())?;
        drop(running);
        let _running = Side::One.start(self.site)?;
        add("requests, copied to 1 target", &|| self.small(old, PORT))?;
        Ok(rows)
    }

    fn target(&self) -> Result<Vec<Vec<Cell>>> {
        let (old, new) = (&self.site.old, &self.site.new[0]);
        let mut rows = Vec::new();
        let mut add = |packets, load: &dyn Fn() -> Result<u64>| {
            rows.extend(self.observe(new, "new", packets, load)?);
            Ok::<_, anyhow::Error>(())
        };
        let _running = Side::One.start(self.site)?;
        add("requests to another port", &|| self.small(new, OTHER_PORT))?;
        add("requests of direct clients", &|| self.small(new, PORT))?;
        add("mirrored requests", &|| self.small(old, PORT))?;
        add("bare ACKs for the most part, mirrored", &|| self.large())?;
        Ok(rows)
    }

    /// A row for each program of `host` that ran during `load`, which says how many requests it was.
    fn observe(
        &self,
        host: &Host,
        name: &str,
        packets: &str,
        load: impl FnOnce() -> Result<u64>,
    ) -> Result<Vec<Vec<Cell>>> {
        self.interrupt.check()?;
        eprintln!("time in programs: {name}, {packets}");
        let before = Times::of(host)?;
        let requests = load()?;
        // What is on its way belongs to it.
        self.interrupt.sleep(SETTLED)?;
        let ran = Times::of(host)?.since(&before).into_iter().filter(|(_, time)| time.runs > 0);
        let rows = ran.map(|(program, time)| {
            let a_request = |number: u64| number as f64 / requests.max(1) as f64;
            vec![
                Cell::text(name),
                Cell::text(program.title()),
                Cell::text(packets),
                Cell::count(time.runs),
                Cell::Number(time.each(), 0),
                Cell::Number(a_request(time.runs), 2),
                Cell::Number(a_request(time.nanoseconds), 0),
            ]
        });
        Ok(rows.collect())
    }

    /// The usual load, for one turn. Returns how many requests.
    fn small(&self, host: &Host, port: u16) -> Result<u64> {
        let mut clients = Clients::connect(&self.site.client, host.v4(), port, self.interrupt);
        Ok(clients.closed_loop(self.plan.turn)?.requests)
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
