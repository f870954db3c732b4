//! The clients: connections that store and fetch at a steady pace.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle, sleep},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use mirror_tests::{client::Connection, mirror::Mirror, random::Random};

use super::content;

/// Time between two requests of a connection.
const PACE: Duration = Duration::from_millis(40);
/// Reads are for one of so many keys that a connection wrote last.
const RECENT: usize = 150;
/// The most keys of one `get`.
const MULTI_GET: usize = 6;

/// All connections; they stop and close when this is dropped.
#[derive(Default)]
pub(crate) struct Load {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<Vec<String>>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    attached: AtomicBool,
    requests: AtomicU64,
    wrong: AtomicU64,
}

/// What the clients did.
pub(crate) struct Done {
    /// Keys that were stored after the mirror knew their connection.
    pub(crate) mirrored: Vec<String>,
    /// Requests, and all of them were answered.
    pub(crate) requests: u64,
    /// Answers that were not what had been stored.
    pub(crate) wrong: u64,
}

impl Load {
    /// Opens `count` connections from the client to the old host, and puts them to work.
    pub(crate) fn add(&mut self, mirror: &Mirror, count: usize, name: &str) -> Result<()> {
        for number in 0..count {
            let worker = Worker {
                connection: mirror.connect(),
                shared: Arc::clone(&self.shared),
                id: format!("{name}{number}"),
                random: Random::new(&format!("{name}{number}")),
                written: Vec::new(),
            };
            // Not all at the same moment, but spread over the time between two requests.
            let delay = PACE * u32::try_from(number)? / u32::try_from(count)?;
            let thread = thread::Builder::new()
                .spawn(move || worker.run(delay))
                .context("cannot start a client's thread")?;
            self.workers.push(thread);
        }
        Ok(())
    }

    /// Says that the commands have returned, so that whatever a connection sends now is copied.
    pub(crate) fn mirror_is_attached(&self) {
        self.shared.attached.store(true, Ordering::SeqCst);
    }

    /// An error when a connection has given up.
    pub(crate) fn check(&self) -> Result<()> {
        if self.workers.iter().any(JoinHandle::is_finished) {
            return Err(lost_a_client());
        }
        Ok(())
    }

    /// Requests until now.
    pub(crate) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Ends the load, and closes the connections.
    pub(crate) fn stop(mut self) -> Result<Done> {
        self.shared.stop.store(true, Ordering::SeqCst);
        let mut mirrored = Vec::new();
        for worker in mem::take(&mut self.workers) {
            mirrored.extend(worker.join().map_err(|_| lost_a_client())?);
        }
        let wrong = self.shared.wrong.load(Ordering::Relaxed);
        Ok(Done { mirrored, requests: self.requests(), wrong })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for worker in mem::take(&mut self.workers) {
            // Its panic, if it had one, was printed.
            let _ = worker.join();
        }
    }
}

fn lost_a_client() -> anyhow::Error {
    anyhow!("a client could not go on: see above")
}

/// One connection.
struct Worker {
    connection: Connection,
    shared: Arc<Shared>,
    id: String,
    random: Random,
    written: Vec<String>,
}

impl Worker {
    /// Works until the load ends; returns the keys that the mirror has to have copied.
    fn run(mut self, delay: Duration) -> Vec<String> {
        sleep(delay);
        // A connection that is opened under the mirror is known from its SYN on.
        let old = !self.attached();
        let mut first_mirrored = if old { None } else { Some(0) };
        if old {
            self.set("before");
        }
        while !self.shared.stop.load(Ordering::SeqCst) {
            if first_mirrored.is_none() && self.attached() {
                // The mirror judges by this request that the next one is the begin of one, and
                // gives memcached the next one. All that was stored until here is not compared.
                self.get(1);
                first_mirrored = Some(self.written.len());
            }
            let name = if first_mirrored.is_some() { "after" } else { "before" };
            match self.random.below(10) {
                0..4 => self.set(name),
                4..8 => self.get(1),
                _ => {
                    let count = 2 + self.random.below(MULTI_GET - 1);
                    self.get(count);
                }
            }
            sleep(PACE);
        }
        self.written.split_off(first_mirrored.unwrap_or(self.written.len()))
    }

    fn attached(&self) -> bool {
        self.shared.attached.load(Ordering::SeqCst)
    }

    fn set(&mut self, name: &str) {
        let key = format!("{name}-{}-{}", self.id, self.written.len());
        self.connection.set(&key, &content::of(&key));
        self.written.push(key);
        self.count(true);
    }

    /// Fetches keys of its own, all of which the old server has.
    fn get(&mut self, count: usize) {
        let oldest = self.written.len().saturating_sub(RECENT);
        let mut request = String::from("get");
        let mut expected = Vec::new();
        for _ in 0..count {
            let index = oldest + self.random.below(self.written.len() - oldest);
            let Some(key) = self.written.get(index) else { continue };
            let value = content::of(key);
            request += &format!(" {key}");
            expected.extend(format!("VALUE {key} 0 {}\r\n", value.len()).into_bytes());
            expected.extend(value);
            expected.extend(b"\r\n");
        }
        if expected.is_empty() {
            return self.set("after");
        }
        expected.extend(b"END\r\n");
        let reply = self.connection.ask(request + "\r\n", "END\r\n");
        self.count(reply == expected);
    }

    fn count(&self, right: bool) {
        self.shared.requests.fetch_add(1, Ordering::Relaxed);
        if !right {
            self.shared.wrong.fetch_add(1, Ordering::Relaxed);
        }
    }
}
