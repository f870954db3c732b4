//! Clients: nine gets to one set of 100 bytes, each connection with a thread of its own.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, TcpStream},
    sync::LazyLock,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use hdrhistogram::Histogram;
use mirror_tests::{
    Host,
    client::{Connection, set_request},
};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    sys::prctl::set_timerslack,
    unistd::Pid,
};

use super::{
    data::{KEYS, VALUE, key},
    processor::Meter,
    site::{NEW, PRODUCTION},
};
use crate::interrupt::Interrupt;

/// Connections of a load.
pub(crate) const CONNECTIONS: usize = 8;

/// A request, and what the reply looks like.
struct Exchange {
    request: Vec<u8>,
    start: &'static [u8],
    length: usize,
}

/// What a client sends, over and over. Made once, so that the loop does little but wait.
static SCRIPT: LazyLock<Vec<Exchange>> = LazyLock::new(|| {
    (0..KEYS * 10)
        .map(|number| {
            let key = key(number * 7 % KEYS);
            if number % 10 == 0 {
                let request = set_request(&key, &VALUE);
                return Exchange { request, start: b"STORED\r\n", length: b"STORED\r\n".len() };
            }
            let head = format!("VALUE {key} 0 {}\r\n", VALUE.len()).len();
            Exchange {
                request: format!("get {key}\r\n").into_bytes(),
                start: b"VALUE ",
                length: head + VALUE.len() + b"\r\nEND\r\n".len(),
            }
        })
        .collect()
});

/// What a load found.
pub(crate) struct Sample {
    pub(crate) requests: u64,
    pub(crate) seconds: f64,
    /// Seconds that the CPUs of production and of the new hosts were busy.
    pub(crate) busy: [f64; 2],
    /// In nanoseconds.
    latency: Histogram<u64>,
}

impl Sample {
    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// Microseconds that so large a part of the requests did not take longer than.
    pub(crate) fn latency(&self, part: f64) -> f64 {
        self.latency.value_at_quantile(part) as f64 / 1e3
    }

    /// Microseconds that a CPU was busy for each request: 0 for production's, 1 for the new hosts'.
    pub(crate) fn cost(&self, cpu: usize) -> f64 {
        self.busy[cpu] / self.requests as f64 * 1e6
    }
}

/// Connections, and the threads' plan.
pub(crate) struct Clients<'a> {
    streams: Vec<TcpStream>,
    interrupt: &'a Interrupt,
}

impl<'a> Clients<'a> {
    /// Opens connections.
    pub(crate) fn connect(host: &Host, to: IpAddr, port: u16, interrupt: &'a Interrupt) -> Self {
        let streams = (0..CONNECTIONS).map(|_| Connection::open(host, to, port).stream).collect();
        Self { streams, interrupt }
    }

    /// As fast as replies come.
    pub(crate) fn closed_loop(&mut self, time: Duration) -> Result<Sample> {
        self.run(time, None)
    }

    /// So many requests a second, on a schedule that does not wait for anyone: a latency counts from
    /// the moment that a request was due, so that a stall counts for all that it delayed.
    pub(crate) fn fixed_rate(&mut self, time: Duration, rate: f64) -> Result<Sample> {
        self.run(time, Some(Duration::from_secs_f64(CONNECTIONS as f64 / rate)))
    }

    fn run(&mut self, time: Duration, interval: Option<Duration>) -> Result<Sample> {
        let interrupt = self.interrupt;
        LazyLock::force(&SCRIPT);
        let meter = Meter::start()?;
        let start = Instant::now();
        let results: Vec<Result<Vec<u64>>> = std::thread::scope(|scope| {
            let workers: Vec<_> = self
                .streams
                .iter_mut()
                .enumerate()
                .map(|(number, stream)| {
                    let schedule = Schedule { start, time, interval, number };
                    scope.spawn(move || work(stream, &schedule, interrupt))
                })
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(|_| Err(anyhow!("a client panicked"))))
                .collect()
        });
        let seconds = start.elapsed().as_secs_f64();
        // What is still on its way to the new hosts belongs to it.
        sleep(Duration::from_millis(20));
        let busy = meter.busy()?;
        let of = |cpu: usize| busy.get(cpu).copied().context("the bench needs two CPUs");
        let mut latency =
            Histogram::new_with_bounds(1, 60_000_000_000, 3).context("cannot make a histogram")?;
        for nanoseconds in results {
            for value in nanoseconds? {
                latency.saturating_record(value.max(1));
            }
        }
        ensure!(!latency.is_empty(), "not one request was answered");
        let busy = [of(PRODUCTION)?, of(NEW)?];
        Ok(Sample { requests: latency.len(), seconds, busy, latency })
    }
}

/// Keeps the calling thread on one CPU.
pub(crate) fn stay_on(cpu: usize) -> Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &cpus)
        .with_context(|| format!("cannot keep a thread on CPU {cpu}"))
}

/// When a client sends.
struct Schedule {
    start: Instant,
    time: Duration,
    interval: Option<Duration>,
    /// Of the client.
    number: usize,
}

impl Schedule {
    /// When request `turn` is due, `None` after the end.
    fn due(&self, turn: u32) -> Option<Instant> {
        let due = match self.interval {
            // Clients do not send in step.
            Some(interval) => {
                self.start
                    + interval.mul_f64(self.number as f64 / CONNECTIONS as f64)
                    + interval * turn
            }
            None => Instant::now(),
        };
        (due < self.start + self.time).then_some(due)
    }
}

/// One client. Returns a latency for each request, in nanoseconds.
fn work(stream: &mut TcpStream, schedule: &Schedule, interrupt: &Interrupt) -> Result<Vec<u64>> {
    stay_on(PRODUCTION)?;
    // Or a sleep may take 50 µs longer than it was asked to (prctl(2)).
    set_timerslack(1).context("cannot have exact timers")?;
    let mut latencies = Vec::new();
    let first = schedule.number * SCRIPT.len() / CONNECTIONS;
    for (turn, exchange) in (0u32..).zip(SCRIPT.iter().cycle().skip(first)) {
        let Some(due) = schedule.due(turn) else { break };
        interrupt.check()?;
        if schedule.interval.is_some() {
            sleep(due.saturating_duration_since(Instant::now()));
        }
        ask(stream, exchange)?;
        latencies.push(u64::try_from(due.elapsed().as_nanos())?);
    }
    Ok(latencies)
}

fn ask(stream: &mut TcpStream, exchange: &Exchange) -> Result<()> {
    let mut reply = [0; 256];
    let reply = &mut reply[..exchange.length];
    stream.write_all(&exchange.request).context("the server takes no requests")?;
    stream.read_exact(reply).context("the server did not reply in time")?;
    ensure!(
        reply.starts_with(exchange.start),
        "{:?} was answered with {:?}",
        String::from_utf8_lossy(&exchange.request),
        String::from_utf8_lossy(reply)
    );
    Ok(())
}
