//! `keys`: lists what a memcached holds.
//!
//! One task takes the list off the connection as fast as memcached sends it; a thread of its own shows it, as fast
//! as the terminal or the pipe takes it. What lies between is in a [`Spool`].

use std::{
    io::{self, BufWriter, ErrorKind, IsTerminal as _, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use tokio::runtime::Handle;

use crate::{
    cli,
    inspect::{
        filter::{Prefixes, Reservoir},
        listing::drain,
        spool::Spool,
    },
    kernel::clock,
    memcached::{
        ASKED_AT_ONCE, Connection, Lines, Stats,
        dump::{Item, Line},
        endpoint::Endpoint,
        meta::Wanted,
    },
    output,
};

/// Bytes that the values that are asked for at once may take, as long as it is not a single one.
const MEMORY: usize = 16 << 20;
/// What an item takes besides its value is no more: header, unique number, key, flags, line end.
const OVERHEAD: usize = 320;
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
    printing.await.context("the output broke off")??;
    drained
}

/// Shows a list.
struct Printer {
    json: bool,
    prefixes: Prefixes,
    sample: Option<Reservoir>,
    /// How many items may still be shown.
    left: u64,
    /// Where flags and values are asked for, and for how long.
    ask: Option<(Endpoint, Duration)>,
    connection: Option<Connection>,
    /// How long values may be that are shown.
    values: Option<usize>,
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
        let here = || clock::wall().as_secs();
        // Not in the middle of rows.
        let rows = io::stdout().is_terminal() && arguments.sample.is_none();
        let reports = io::stderr().is_terminal() && !rows;
        Self {
            json: arguments.json,
            prefixes: Prefixes(arguments.prefixes.clone()),
            sample: arguments.sample.map(|room| Reservoir::new(room.get())),
            left: arguments.limit.map_or(u64::MAX, Into::into),
            ask: (arguments.flags || arguments.values.is_some())
                .then(|| (arguments.server.clone(), arguments.timeout)),
            connection: None,
            values: arguments.values.map(|most| most as usize),
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
            let reported = &mut self.reported;
            spool.wait_until_closed(|bytes| {
                if is_due(reported) {
                    output::progress(&format!("{} MB of the list collected", bytes / 1_000_000));
                }
            });
            self.clear();
            let connection = Connection::open(server, *patience);
            self.connection = Some(self.runtime.block_on(connection)?);
        }
        let mut out = BufWriter::new(io::stdout().lock());
        if !self.json {
            self.put(writeln!(out, "{}", output::keys_heading(self.values.is_some())))?;
        }
        let mut lines = Lines::default();
        while self.left > 0
            && let Some(bytes) = spool.pop().context("cannot read the temporary file")?
        {
            lines.push(&bytes);
            let mut items = self.choose(&mut lines);
            items.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            if !items.is_empty() {
                self.show(&mut items, &mut out)?;
            }
            self.report();
        }
        if let Some(sample) = self.sample.take() {
            let mut items: Vec<Item> = sample.into_items().collect();
            self.clear();
            self.show(&mut items, &mut out)?;
        }
        self.put(out.flush())?;
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
        let at_once = match self.values {
            Some(most) => (MEMORY / most.max(1)).clamp(1, ASKED_AT_ONCE),
            None => ASKED_AT_ONCE,
        };
        for items in items.chunks_mut(at_once) {
            let values = self.ask(items)?;
            self.write(items, &values, out)?;
        }
        self.put(out.flush())
    }

    /// Fills in flags, and returns values.
    fn ask(&mut self, items: &mut [Item]) -> Result<Vec<Option<Vec<u8>>>> {
        let mut values = vec![None; items.len()];
        let Some(connection) = &mut self.connection else { return Ok(values) };
        let most = self.values.unwrap_or_default();
        let fits = |item: &Item| self.values.is_some() && item.size <= (most + OVERHEAD) as u64;
        let wanted: Vec<(usize, Wanted)> = items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| match item.flags {
                _ if fits(item) => Some((index, Wanted::Value)),
                None => Some((index, Wanted::Flags)),
                Some(_) => None,
            })
            .collect();
        let keys = wanted.iter().map(|(index, wanted)| (items[*index].key.as_slice(), *wanted));
        let found = self.runtime.block_on(connection.ask(keys, most))?;
        for ((index, _), found) in wanted.into_iter().zip(found) {
            if let Some(found) = found {
                items[index].flags = Some(found.flags);
                values[index] = found.value;
            }
        }
        Ok(values)
    }

    fn write(
        &mut self,
        items: &[Item],
        values: &[Option<Vec<u8>>],
        out: &mut impl Write,
    ) -> Result<()> {
        let now = self.clock.0 + self.clock.1.elapsed().as_secs();
        for (item, value) in items.iter().zip(values) {
            let text = match self.json {
                true => output::key_json(item, value.as_deref(), now)?,
                false => output::key_row(item, value.as_deref(), now),
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
                Ok(())
            }
            written => written.context("cannot write the list"),
        }
    }

    /// On a terminal, while the rows go elsewhere.
    fn report(&mut self) {
        if is_due(&mut self.reported) {
            let of = self.expected.map(|items| format!(" of about {items}")).unwrap_or_default();
            output::progress(&format!("{}{of} items seen, {} shown", self.seen, self.shown));
        }
    }

    /// Takes the last report off the terminal.
    fn clear(&self) {
        if self.reported.is_some() {
            output::clear_progress();
        }
    }

    fn sum_up(&self) {
        self.clear();
        if io::stderr().is_terminal() {
            output::note(&format!("{} items seen, {} shown", self.seen, self.shown));
        }
        if self.unreadable > 0 {
            log::warn!("{} lines of the list could not be read", self.unreadable);
        }
    }
}

/// Whether it is time for another report; never, where there are none.
fn is_due(reported: &mut Option<Instant>) -> bool {
    let due = reported.is_some_and(|reported| reported.elapsed() >= PROGRESS);
    if due {
        *reported = Some(Instant::now());
    }
    due
}
