//! A load whose requests all cost the same, so that small differences show: one connection that waits for
//! each reply, and a client and a server that run before all other programs.
//!
//! With more connections, requests cost what the scheduler makes of them: the same eight connections take 6.7 µs
//! a request for some seconds, and 10.4 for others, since sometimes more of them are served in one go. Such steps
//! are larger than what a mirror adds, and hide it. With one connection each request has the same interrupts and
//! switches of context, whatever the mirror adds to it.

use std::{
    fs,
    hint::{black_box, spin_loop},
    io::{self, Read as _, Write as _},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{JoinHandle, sleep},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use mirror_tests::{client::Connection, mirror::PORT};
use nix::libc;

use super::{
    data::{VALUE, key},
    load::stay_on,
    side::Side,
    site::{NEW, PRODUCTION, Site},
    spread::lower_quartile,
};
use crate::interrupt::Interrupt;

/// Time that a turn's first requests have to warm up what is new.
const WARM_UP: Duration = Duration::from_millis(50);
/// Requests that are timed together: as many as take less than a millisecond, with cold caches too.
const WARM: usize = 50;
const COLD: usize = 10;
/// What a core's own cache holds where the kernel does not say.
const USUAL_CACHE: usize = 2 << 20;
const LINE: usize = 64;

/// Microseconds of a request.
#[derive(Clone, Copy)]
pub(crate) struct Took {
    /// With all that it needs in the core's caches, as they are after just the same request.
    pub(crate) warm: f64,
    /// With nothing in them, as where other work lies in between.
    pub(crate) cold: f64,
}

/// The load's site, whose old server runs before other programs for as long as this lives.
pub(crate) struct Steady<'a> {
    site: &'a Site,
    interrupt: &'a Interrupt,
    cache: usize,
}

impl<'a> Steady<'a> {
    pub(crate) fn new(site: &'a Site, interrupt: &'a Interrupt) -> Self {
        site.old_server.run_first(&site.old, true);
        Self { site, interrupt, cache: cache().unwrap_or(USUAL_CACHE) }
    }

    /// Requests while `side` is on: for `time` with warm caches, and as long with cold ones.
    pub(crate) fn turn(&self, side: Side, time: Duration) -> Result<Took> {
        self.interrupt.check()?;
        let running = side.start(self.site)?;
        // On a thread of its own, since what is started from it would be on its CPU and of its priority.
        let took = std::thread::scope(|scope| {
            let client = scope.spawn(|| self.client(side, time));
            client.join().unwrap_or_else(|_| Err(anyhow!("the client panicked")))
        });
        drop(running);
        took
    }

    fn client(&self, side: Side, time: Duration) -> Result<Took> {
        stay_on(PRODUCTION)?;
        let mut client = Client {
            stream: Connection::open(&self.site.client, self.site.old.v4(), PORT).stream,
            request: format!("get {}\r\n", key(0)).into_bytes(),
            reply: vec![
                0;
                format!("VALUE {} 0 {}\r\n\r\nEND\r\n", key(0), VALUE.len()).len()
                    + VALUE.len()
            ],
            other: vec![1; self.cache],
            alone: !side.needs_new_hosts(),
        };
        run_first()?;
        client.phase(WARM_UP, false)?;
        let before = self.site.lost_in_hole()?;
        let warm = client.phase(time, false)?;
        // Whoever was kept waiting has its turn, such as the kernel's own threads.
        sleep(WARM_UP);
        let cold = client.phase(time, true)?;
        let (lost, sent) = (self.site.lost_in_hole()? - before, warm.requests + cold.requests);
        if side.uses_hole() {
            ensure!(lost >= sent, "{}: {lost} copies of {sent} requests", side.name());
        } else {
            // Not none: the kernel has something to say on a new interface now and then.
            ensure!(lost < sent / 10, "{}: {lost} copies, and there should be none", side.name());
        }
        self.interrupt.check()?;
        Ok(Took { warm: lower_quartile(&warm.took), cold: lower_quartile(&cold.took) })
    }
}

impl Drop for Steady<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.site.old_server.run_first(&self.site.old, false);
        }
    }
}

/// Requests one after the other.
struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    reply: Vec<u8>,
    /// What is in the caches instead of what a request needs.
    other: Vec<u8>,
    /// Whether the new hosts' CPU has nothing to do with a request.
    alone: bool,
}

/// What they took.
struct Phase {
    requests: u64,
    /// Microseconds of a request, of some together each.
    took: Vec<f64>,
}

impl Client {
    fn phase(&mut self, time: Duration, cold: bool) -> Result<Phase> {
        let _occupied = self.alone.then(Occupied::start);
        let start = Instant::now();
        let together = if cold { COLD } else { WARM };
        let mut phase = Phase { requests: 0, took: Vec::new() };
        while start.elapsed() < time {
            let mut took = Duration::ZERO;
            for _ in 0..together {
                if cold {
                    self.spoil();
                }
                let sent = Instant::now();
                self.stream.write_all(&self.request).context("the server takes no requests")?;
                self.stream.read_exact(&mut self.reply).context("the server did not reply")?;
                took += sent.elapsed();
            }
            phase.requests += together as u64;
            phase.took.push(took.as_secs_f64() * 1e6 / together as f64);
        }
        ensure!(self.reply.starts_with(b"VALUE "), "the server does not hold {}", key(0));
        Ok(phase)
    }

    /// Leaves nothing in the core's caches but this.
    fn spoil(&mut self) {
        for byte in self.other.iter_mut().step_by(LINE) {
            *byte = black_box(byte.wrapping_add(1));
        }
    }
}

/// The new hosts' CPU, kept from doing anything. In a virtual machine it may share a core with production's, which
/// takes half as long again for the same request while somebody else works there.
struct Occupied {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Occupied {
    fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            // Where it cannot, turns differ more, and the table says so.
            if stay_on(NEW).and_then(|()| run_first()).is_ok() {
                while !end.load(Ordering::Relaxed) {
                    spin_loop();
                }
            }
        });
        Self { over, thread: Some(thread) }
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Has the calling thread run before those of all programs that have no such priority.
fn run_first() -> Result<()> {
    let parameter = libc::sched_param { sched_priority: 1 };
    // SAFETY: the kernel reads `parameter`; 0 is the calling thread.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameter) };
    let error = io::Error::last_os_error();
    ensure!(result == 0, "the client gets no real-time priority: {error}");
    Ok(())
}

/// Bytes in the second-level cache of production's CPU, which in most processors no other core has a part of.
fn cache() -> Option<usize> {
    let path = format!("/sys/devices/system/cpu/cpu{PRODUCTION}/cache/index2/size");
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().strip_suffix('K')?.parse::<usize>().ok()? * 1024)
}
