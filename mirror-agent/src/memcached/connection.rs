//! A TCP connection to a memcached.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use super::{
    Lines, Stats,
    dump::{self, EndFinder},
    socket, stats,
};
use crate::memcached::endpoint::Endpoint;

/// Bytes that are read at a time.
const READ: usize = 1 << 18;
/// Between two requests for a dump while the server is busy: short at first, since its own searches for what has
/// expired are, and not too often, since each request delays the next of these.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(2)];

/// A connection that waits for nothing longer than it was told to.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    pub(super) server: Endpoint,
    patience: Duration,
    lines: Lines,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects. `patience` holds for this and for each answer.
    ///
    /// # Errors
    ///
    /// Where the server cannot be reached.
    pub async fn open(server: &Endpoint, patience: Duration) -> Result<Self> {
        let stream = socket::connect(server, patience)
            .await
            .with_context(|| format!("cannot connect to {server}"))?;
        stream.set_nodelay(true).context("cannot set TCP_NODELAY")?;
        let (lines, buffer) = (Lines::default(), vec![0; READ]);
        Ok(Self { stream, server: server.clone(), patience, lines, buffer })
    }

    /// The server by the address that answered, so that a name which leads elsewhere later does no harm.
    ///
    /// # Errors
    ///
    /// Where the connection is broken.
    pub fn peer(&self) -> Result<Endpoint> {
        let address = self.stream.peer_addr().with_context(|| format!("lost {}", self.server))?;
        Ok(Endpoint { host: address.ip().to_string(), port: address.port() })
    }

    /// The server's general statistics.
    ///
    /// # Errors
    ///
    /// Where something else than a memcached answers, or nothing does.
    pub async fn stats(&mut self) -> Result<Stats> {
        self.send(stats::REQUEST).await?;
        let mut found = Stats::default();
        let deadline = Instant::now() + self.patience;
        while Instant::now() < deadline {
            let line = self.line().await?;
            match found.take(&line) {
                stats::Line::Stat => {}
                stats::Line::End => return Ok(found),
                stats::Line::Other if is_error(&line) => {
                    bail!("{} refuses `stats`: {}", self.server, shown(&line))
                }
                stats::Line::Other => bail!(
                    "{} does not speak memcached's text protocol: it says \"{}\"",
                    self.server,
                    shown(&line)
                ),
            }
        }
        bail!("{} does not come to an end with `stats`", self.server)
    }

    /// Begins the list of all items, when the server is free for that. `None` where it has no items.
    ///
    /// # Errors
    ///
    /// Where the server refuses, or is busy for too long.
    pub async fn dump(mut self) -> Result<Option<Dump>> {
        let deadline = Instant::now() + self.patience;
        let mut pause = PAUSES[0];
        loop {
            self.send(dump::REQUEST).await?;
            let line = self.line().await?;
            match dump::Line::parse(&line) {
                dump::Line::Begin | dump::Line::Item(_) | dump::Line::End => {
                    let begun = [&line, b"\n".as_slice(), self.lines.rest()].concat();
                    let ended = line == b"END";
                    return Ok((!ended).then(|| Dump::new(self, begun)));
                }
                dump::Line::Nothing => return Ok(None),
                dump::Line::Busy if Instant::now() + pause < deadline => {
                    log::info!("{} is busy: {}", self.server, shown(&line));
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSES[1]);
                }
                dump::Line::Busy => bail!(
                    "{} was busy with other requests for its items for {:?}: {}",
                    self.server,
                    self.patience,
                    shown(&line)
                ),
                dump::Line::Other(_) => bail!(
                    "{} does not list its items: {} (memcached does from 1.5.4 on, with the LRU crawler on and \
                     without -X)",
                    self.server,
                    shown(&line)
                ),
            }
        }
    }

    pub(super) async fn send(&mut self, request: &[u8]) -> Result<()> {
        timeout(self.patience, self.stream.write_all(request))
            .await
            .with_context(|| format!("{} took no request for {:?}", self.server, self.patience))?
            .with_context(|| format!("cannot ask {}", self.server))
    }

    pub(super) async fn line(&mut self) -> Result<Vec<u8>> {
        loop {
            if let Some(line) = self.lines.next_line() {
                return Ok(line.to_vec());
            }
            self.more().await?;
        }
    }

    /// Gives a value to `take`, in pieces, and reads the end of its line.
    pub(super) async fn value(&mut self, length: usize, mut take: impl FnMut(&[u8])) -> Result<()> {
        let mut left = length;
        while left > 0 {
            let bytes = self.lines.take_bytes(left);
            left -= bytes.len();
            take(bytes);
            if left > 0 {
                self.more().await?;
            }
        }
        if !self.line().await?.is_empty() {
            bail!("{} sent a value that is longer than it said", self.server);
        }
        Ok(())
    }

    async fn more(&mut self) -> Result<()> {
        let count = self.read().await?;
        if count == 0 {
            bail!("{} closed the connection without an answer", self.server);
        }
        self.lines.push(&self.buffer[..count]);
        Ok(())
    }

    /// Reads into the buffer; 0 at the end of the connection.
    async fn read(&mut self) -> Result<usize> {
        timeout(self.patience, self.stream.read(&mut self.buffer))
            .await
            .with_context(|| format!("{} said nothing for {:?}", self.server, self.patience))?
            .with_context(|| format!("cannot read from {}", self.server))
    }
}

/// The list of all items as it arrives. Who has one reads on without a pause: a server of 1.6.19 to 1.6.43 writes
/// past its buffer where a reader stands still (memcached's commit 7eeac6e9a).
#[derive(Debug)]
pub struct Dump {
    connection: Connection,
    begun: Option<Vec<u8>>,
    end: EndFinder,
    ended: bool,
}

impl Dump {
    fn new(connection: Connection, begun: Vec<u8>) -> Self {
        Self { connection, begun: Some(begun), end: EndFinder::default(), ended: false }
    }

    /// The next bytes of the list; `None` when it is complete.
    ///
    /// # Errors
    ///
    /// Where the connection ends before the list does.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        if self.ended {
            return Ok(None);
        }
        let bytes = match self.begun.take() {
            Some(begun) => begun,
            None => {
                let count = self.connection.read().await.context("the list of items broke off")?;
                if count == 0 {
                    bail!(
                        "{} closed the connection in the middle of its list of items",
                        self.connection.server
                    );
                }
                self.connection.buffer[..count].to_vec()
            }
        };
        self.ended = self.end.ends(&bytes);
        Ok(Some(bytes))
    }
}

fn is_error(line: &[u8]) -> bool {
    [&b"ERROR"[..], b"CLIENT_ERROR", b"SERVER_ERROR"].iter().any(|error| line.starts_with(error))
}

/// What a server said, safe for a terminal.
pub(super) fn shown(line: &[u8]) -> String {
    const SHOWN: usize = 100;
    line[..line.len().min(SHOWN)].escape_ascii().to_string()
}
