//! `keys`: lists what a memcached holds.
//!
//! One task takes the list off the connection as fast as memcached sends it; a thread of its own shows it, as fast
//! as the terminal or the pipe takes it. What lies between is in a [`Spool`].

use std::{
    io::{self, BufWriter, ErrorKind, IsTerminal as _, Write},
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use tokio::runtime::Handle;

use crate::{
    cli,
    endpoint::Endpoint,
    keys::{Prefixes, Reservoir},
    memcached::{
        Connection, Dump, Lines, Stats,
        dump::{Item, Line},
    },
    render,
    spool::Spool,
};

/// Flags that are asked for at once. Their requests take 25 kB at most, which sockets have room for.
const ASKED_AT_ONCE: usize = 96;
/// Between two reports of progress.
const PROGRESS: Duration = Duration::from_millis(500);

/// Runs the verb.
pub(super) async fn run(arguments: &cli::Keys) -> Result<()> {
    let (server, patience) = (&arguments.server, arguments.timeout);
    let mut connection = Connection::open(server, patience).await?;
    let stats = connection.stats().await?;
    let list = connection.dump().await?;

    let spool = Arc::new(Spool::default());
    let mut printer = Printer::new(arguments, &stats);
    let source = spool.clone();
    let mut printing = tokio::task::spawn_blocking(move || printer.run(&source));
    let drained = tokio::select! {
        drained = drain(list, &spool) => drained,
        // There is enough, or nobody reads it.
        printed = &mut printing => return printed.context("the output broke off")?,
    };
    // What came of a list that breaks off is shown, too.
    spool.close();
    printing.await.context("the output broke off")??;
    drained
}

async fn drain(list: Option<Dump>, spool: &Spool) -> Result<()> {
    let Some(mut list) = list else { return Ok(()) };
    while let Some(bytes) = list.next().await? {
        spool.push(bytes).context("cannot put the list aside in a temporary file (TMPDIR)")?;
    }
    Ok(())
}

/// Shows a list.
struct Printer {
    json: bool,
    prefixes: Prefixes,
    sample: Option<Reservoir>,
    /// How many items may still be shown.
    left: u64,
    /// Where flags are asked for, and for how long.
    ask: Option<(Endpoint, Duration)>,
    connection: Option<Connection>,
    runtime: Handle,
    /// The server's clock, and when it was read.
    clock: (u64, Instant),
    expected: Option<u64>,
    seen: u64,
    shown: u64,
    unreadable: u64,
    reported: Option<Instant>,
}

impl Printer {
    fn new(arguments: &cli::Keys, stats: &Stats) -> Self {
        let here = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        // Not between the rows that it would be in the middle of.
        let reports = io::stderr().is_terminal() && !io::stdout().is_terminal();
        Self {
            json: arguments.json,
            prefixes: Prefixes(arguments.prefixes.clone()),
            sample: arguments.sample.map(|room| Reservoir::new(room.get())),
            left: arguments.limit.map_or(u64::MAX, Into::into),
            ask: arguments.flags.then(|| (arguments.server.clone(), arguments.timeout)),
            connection: None,
            runtime: Handle::current(),
            clock: (stats.time.unwrap_or_else(here), Instant::now()),
            expected: stats.items,
            seen: 0,
            shown: 0,
            unreadable: 0,
            reported: reports.then(Instant::now),
        }
    }

    fn run(&mut self, spool: &Spool) -> Result<()> {
        if let Some((server, patience)) = &self.ask {
            // memcached leaves items out whose lock is taken, and requests for other items take it, too.
            spool.wait_until_closed();
            let connection = Connection::open(server, *patience);
            self.connection = Some(self.runtime.block_on(connection)?);
        }
        let mut out = BufWriter::new(io::stdout().lock());
        if !self.json {
            self.put(writeln!(out, "{}", render::keys_heading()))?;
        }
        let mut lines = Lines::default();
        while self.left > 0
            && let Some(bytes) = spool.pop().context("cannot read the temporary file")?
        {
            lines.push(&bytes);
            let mut items = self.choose(&mut lines);
            items.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.show(&mut items, &mut out)?;
            self.report();
        }
        if let Some(sample) = self.sample.take() {
            let mut items: Vec<Item> = sample.into_items().collect();
            self.show(&mut items, &mut out)?;
        }
        self.sum_up();
        Ok(())
    }

    /// The items of these lines that are to be shown now.
    fn choose(&mut self, lines: &mut Lines) -> Vec<Item> {
        let mut items = Vec::new();
        while let Some(line) = lines.next_line() {
            match Line::parse(line) {
                Line::Item(item) => {
                    self.seen += 1;
                    if !self.prefixes.cover(&item.key) {
                        continue;
                    }
                    match &mut self.sample {
                        Some(sample) => sample.offer(item),
                        None => items.push(item),
                    }
                }
                Line::Begin | Line::End => {}
                Line::Nothing | Line::Busy | Line::Other(_) => self.unreadable += 1,
            }
        }
        items
    }

    fn show(&mut self, items: &mut [Item], out: &mut impl Write) -> Result<()> {
        for items in items.chunks_mut(ASKED_AT_ONCE) {
            self.ask_flags(items)?;
            self.write(items, out)?;
        }
        self.put(out.flush())
    }

    fn write(&mut self, items: &[Item], out: &mut impl Write) -> Result<()> {
        let now = self.clock.0 + self.clock.1.elapsed().as_secs();
        for item in items {
            let text = match self.json {
                true => render::key_json(item, now)?,
                false => render::key_row(item, now),
            };
            self.put(writeln!(out, "{text}"))?;
            self.shown += 1;
            self.left = self.left.saturating_sub(1);
        }
        Ok(())
    }

    /// Who reads the output may have enough before its end.
    fn put(&mut self, written: io::Result<()>) -> Result<()> {
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.left = 0;
                self.reported = None;
                Ok(())
            }
            written => written.context("cannot write the list"),
        }
    }

    fn ask_flags(&mut self, items: &mut [Item]) -> Result<()> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let without = || items.iter().filter(|item| item.flags.is_none());
        if without().next().is_none() {
            return Ok(());
        }
        let keys = without().map(|item| item.key.as_slice());
        let found = self.runtime.block_on(connection.flags(keys))?;
        let without = items.iter_mut().filter(|item| item.flags.is_none());
        for (item, flags) in without.zip(found) {
            item.flags = flags;
        }
        Ok(())
    }

    /// On a terminal, while the rows go elsewhere.
    fn report(&mut self) {
        let Some(reported) = &mut self.reported else { return };
        if reported.elapsed() >= PROGRESS {
            *reported = Instant::now();
            let of = self.expected.map(|items| format!(" of about {items}")).unwrap_or_default();
            eprint!("\r{}{of} items seen, {} shown", self.seen, self.shown);
        }
    }

    fn sum_up(&self) {
        if io::stderr().is_terminal() {
            let begin = if self.reported.is_some() { "\r\x1b[K" } else { "" };
            eprintln!("{begin}{} items seen, {} shown", self.seen, self.shown);
        }
        if self.unreadable > 0 {
            log::warn!("{} lines of the list could not be read", self.unreadable);
        }
    }
}
