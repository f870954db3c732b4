//! Who asks production for what: staying connections of every style, others that come and go, and now and
//! then a value of a megabyte.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{Scope, ScopedJoinHandle, sleep},
    time::Duration,
};

use anyhow::{Result, anyhow, bail};
use mirror_tests::{
    Host,
    client::Connection,
    history::History,
    memcached::Memcached,
    mirror::PORT,
    traffic::{Client, Style},
};

/// A client that comes and goes has a new connection after so many requests.
const VISIT: usize = 25;
/// Bytes of a large value: as much as memcached takes, but for key and header.
const LARGE: usize = 1_000_000;
/// Between two of them.
const LARGE_PACE: Duration = Duration::from_secs(3);
/// Rounds of requests that connections have to arrive again.
const PATIENCE: usize = 40;
/// Longer than a copy waits for one that is missing.
const ROUND: Duration = Duration::from_millis(250);

/// All that are at work.
pub(crate) struct Clients<'scope> {
    workers: Vec<ScopedJoinHandle<'scope, Client>>,
    stop: Arc<AtomicBool>,
}

impl<'scope> Clients<'scope> {
    /// Sends them to work.
    pub(crate) fn start(
        scope: &'scope Scope<'scope, '_>,
        host: &'scope Host,
        server: IpAddr,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut workers = Vec::new();
        let connect = move || Connection::open(host, server, PORT);
        for style in Style::ALL {
            let mut client = Client::new(format!("staying-{style:?}"), style, connect());
            let flag = Arc::clone(&stop);
            workers.push(scope.spawn(move || {
                while !flag.load(Ordering::Relaxed) {
                    client.work(VISIT);
                }
                client
            }));
            let mut client = Client::new(format!("passing-{style:?}"), style, connect());
            let flag = Arc::clone(&stop);
            workers.push(scope.spawn(move || {
                while !flag.load(Ordering::Relaxed) {
                    client.reconnect(connect());
                    client.work(VISIT);
                }
                client
            }));
        }
        let mut client = Client::new("large".to_owned(), Style::Text, connect());
        let flag = Arc::clone(&stop);
        workers.push(scope.spawn(move || {
            while !flag.load(Ordering::Relaxed) {
                client.reconnect(connect());
                client.store_large("large", LARGE);
                sleep(LARGE_PACE);
            }
            client
        }));
        Self { workers, stop }
    }

    /// Whether production has served all of them up to now.
    pub(crate) fn are_well(&self) -> bool {
        !self.workers.iter().any(ScopedJoinHandle::is_finished)
    }

    /// Sends them home; what they wrote.
    pub(crate) fn stop(mut self) -> Result<History> {
        self.stop.store(true, Ordering::Relaxed);
        let mut history = History::default();
        for worker in self.workers.drain(..) {
            let client = worker.join().map_err(|_| anyhow!("production failed a client"))?;
            history.merge(&client.history);
        }
        Ok(history)
    }
}

impl Drop for Clients<'_> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Looks whether what clients store arrives: on connections that stay, and on fresh ones.
pub(crate) struct Prober<'a> {
    host: &'a Host,
    server: IpAddr,
    clients: Vec<Client>,
    rounds: usize,
}

impl<'a> Prober<'a> {
    pub(crate) fn new(host: &'a Host, server: IpAddr) -> Self {
        let client = |name: &str| {
            Client::new(format!("probe-{name}"), Style::Text, Connection::open(host, server, PORT))
        };
        Self { host, server, clients: vec![client("staying"), client("fresh")], rounds: 0 }
    }

    /// Stores until both values of a round are on the new host; how many rounds that took.
    pub(crate) fn until_well(&mut self, new: &Memcached, host: &Host) -> Result<usize> {
        self.clients[1].reconnect(Connection::open(self.host, self.server, PORT));
        for round in 1..=PATIENCE {
            self.rounds += 1;
            let mut inside = new.inside(host);
            let mut arrived = true;
            let mut keys = Vec::new();
            for client in &mut self.clients {
                let key = format!("{}-{}", client.name, self.rounds);
                client.store(&key);
                keys.push(key);
            }
            sleep(ROUND);
            for key in keys {
                arrived &= inside.get(&key).is_some();
            }
            if arrived {
                return Ok(round);
            }
        }
        bail!("after {PATIENCE} requests on each connection")
    }

    pub(crate) fn add_to(&self, history: &mut History) {
        for client in &self.clients {
            history.merge(&client.history);
        }
    }
}
