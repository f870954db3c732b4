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
    meta::{self, Wanted},
    stats,
};
use crate::endpoint::Endpoint;

/// Bytes that are read at a time.
const READ: usize = 1 << 18;
/// Between two requests for a dump while the server is busy: short at first, since its own searches for what has
/// expired are, and not too often, since each request delays the next of these.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(2)];

/// A connection that waits for nothing longer than it was told to.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    server: Endpoint,
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
        let connecting = TcpStream::connect((server.host.as_str(), server.port));
        let stream = timeout(patience, connecting)
            .await
            .with_context(|| format!("{server} did not answer for {patience:?}"))?
            .with_context(|| format!("cannot connect to {server}"))?;
        stream.set_nodelay(true).context("cannot set TCP_NODELAY")?;
        let (lines, buffer) = (Lines::default(), vec![0; READ]);
        Ok(Self { stream, server: server.clone(), patience, lines, buffer })
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

    /// Flags and values of items, in the order of `keys`; `None` for one that is gone or that text cannot name. Of
    /// a value that is longer than `most`, nothing is kept.
    ///
    /// All requests are sent before the first answer is read: they have to fit the sockets' buffers.
    ///
    /// # Errors
    ///
    /// Where the server answers anything else than meta commands do.
    pub async fn ask<'a>(
        &mut self,
        keys: impl IntoIterator<Item = (&'a [u8], Wanted)>,
        most: usize,
    ) -> Result<Vec<Option<Found>>> {
        let mut requests = Vec::new();
        let asked: Vec<bool> =
            keys.into_iter().map(|(key, wanted)| meta::ask(&mut requests, key, wanted)).collect();
        self.send(&requests).await?;
        let mut found = Vec::with_capacity(asked.len());
        for asked in asked {
            found.push(if asked { self.found(most).await? } else { None });
        }
        Ok(found)
    }

    async fn found(&mut self, most: usize) -> Result<Option<Found>> {
        let line = self.line().await?;
        match meta::Answer::parse(&line) {
            meta::Answer::Hit { flags, length: None } => Ok(Some(Found { flags, value: None })),
            meta::Answer::Hit { flags, length: Some(length) } => {
                let value = self.value(length, most).await?;
                Ok(Some(Found { flags, value }))
            }
            meta::Answer::Miss => Ok(None),
            meta::Answer::Other => bail!(
                "{} does not tell flags and values: {} (memcached does from 1.6.10 on)",
                self.server,
                shown(&line)
            ),
        }
    }

    /// Reads a value and the end of its line; `None` where it is longer than `most`.
    async fn value(&mut self, length: usize, most: usize) -> Result<Option<Vec<u8>>> {
        let mut value = Vec::new();
        let mut left = length;
        while left > 0 {
            let bytes = self.lines.take_bytes(left);
            left -= bytes.len();
            if length <= most {
                value.extend_from_slice(bytes);
            }
            if left > 0 {
                self.more().await?;
            }
        }
        if !self.line().await?.is_empty() {
            bail!("{} sent a value that is longer than it said", self.server);
        }
        Ok((length <= most).then_some(value))
    }

    async fn send(&mut self, request: &[u8]) -> Result<()> {
        timeout(self.patience, self.stream.write_all(request))
            .await
            .with_context(|| format!("{} took no request for {:?}", self.server, self.patience))?
            .with_context(|| format!("cannot ask {}", self.server))
    }

    async fn line(&mut self) -> Result<Vec<u8>> {
        loop {
            if let Some(line) = self.lines.next_line() {
                return Ok(line.to_vec());
            }
            self.more().await?;
        }
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

/// What [`Connection::ask`] found of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The client's flags.
    pub flags: u64,
    /// The value, where it was asked for and is not too long.
    pub value: Option<Vec<u8>>,
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
fn shown(line: &[u8]) -> String {
    const SHOWN: usize = 100;
    line[..line.len().min(SHOWN)].escape_ascii().to_string()
}
