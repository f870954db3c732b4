//! A server's list of its items: taken off the connection as fast as it comes, and read from a [`Spool`].

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use tokio::{runtime, task::spawn_blocking};

use crate::{
    inspect::{filter::Prefixes, spool::Spool},
    memcached::{
        Connection, Dump, Lines,
        dump::{Item, Line},
        endpoint::Endpoint,
    },
};

/// Closes a spool whatever happens: who reads what came of a list that breaks off comes to an end, too.
struct Closing<'a>(&'a Spool);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Takes a list off its connection without a pause, which [`Dump`] asks for, and closes the spool.
///
/// # Errors
///
/// Where the list breaks off, or cannot be put aside.
pub async fn drain(list: Option<Dump>, spool: &Spool) -> Result<()> {
    let _closing = Closing(spool);
    let Some(mut list) = list else { return Ok(()) };
    while let Some(bytes) = list.next().await? {
        spool.push(bytes).context("cannot put the list aside in a temporary file (TMPDIR)")?;
    }
    Ok(())
}

/// Asks a server for its list and takes it off the connection, on a thread that does nothing else: no other work can
/// keep the server waiting.
///
/// # Errors
///
/// Where the server does not list its items, or [`drain`] fails.
pub async fn collect(server: Endpoint, patience: Duration, spool: Arc<Spool>) -> Result<()> {
    let collecting = spawn_blocking(move || {
        let _closing = Closing(&spool);
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start a runtime")?;
        runtime.block_on(async {
            let list = Connection::open(&server, patience).await?.dump().await?;
            drain(list, &spool).await
        })
    });
    collecting.await.context("the thread that takes the list broke off")?
}

/// The items of a list, some at a time.
#[derive(Debug)]
pub struct Items<'a> {
    spool: &'a Spool,
    prefixes: &'a Prefixes,
    lines: Lines,
    /// How many the list had, whatever their prefix.
    pub seen: u64,
    /// Lines that were none.
    pub unreadable: u64,
}

impl<'a> Items<'a> {
    /// Those with one of these prefixes.
    pub fn new(spool: &'a Spool, prefixes: &'a Prefixes) -> Self {
        Self { spool, prefixes, lines: Lines::default(), seen: 0, unreadable: 0 }
    }

    /// The next items, at most `most`; none at the end. Waits for them.
    ///
    /// # Errors
    ///
    /// Where the spool cannot be read.
    pub fn next(&mut self, most: usize) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        while items.len() < most {
            let Some(line) = self.lines.next_line() else {
                let bytes = self.spool.pop().context("cannot read the temporary file")?;
                let Some(bytes) = bytes else { break };
                self.lines.push(&bytes);
                continue;
            };
            match Line::parse(line) {
                Line::Item(item) => {
                    self.seen += 1;
                    if self.prefixes.cover(&item.key) {
                        items.push(item);
                    }
                }
                Line::Begin | Line::End => {}
                Line::Nothing | Line::Busy | Line::Other(_) => self.unreadable += 1,
            }
        }
        Ok(items)
    }
}
