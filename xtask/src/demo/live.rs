//! The live table, and what it is read from.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use comfy_table::{CellAlignment, Table, presets::NOTHING};
use console::Term;
use mirror_tests::{Host, agent::lost, memcached::Memcached, mirror::Mirror};

use super::load::Load;
use crate::interrupt::Interrupt;

/// Time between two tables on a terminal.
const REDRAW: Duration = Duration::from_millis(500);
/// Time between two lines elsewhere.
const LINE: Duration = Duration::from_secs(5);

/// Where the table is drawn.
pub(crate) struct View {
    terminal: Term,
    map: Option<String>,
}

impl View {
    /// On standard output.
    pub(crate) fn new() -> Self {
        Self { terminal: Term::stdout(), map: None }
    }

    /// From here on there are counters of the mirror, with this `--map`.
    pub(crate) fn mirror_is_attached(&mut self, map: &str) {
        self.map = Some(map.to_owned());
    }

    /// Shows what happens for a while: a table in place on a terminal, else lines.
    pub(crate) fn follow(
        &self,
        mirror: &Mirror,
        load: &Load,
        time: Duration,
        interrupt: &Interrupt,
    ) -> Result<()> {
        let in_place = self.terminal.is_term();
        let start = Instant::now();
        let mut drawn = 0;
        loop {
            let left = time.saturating_sub(start.elapsed());
            interrupt.sleep(left.min(if in_place { REDRAW } else { LINE }))?;
            load.check()?;
            let sample = Sample::take(mirror, load, self.map.as_deref());
            let elapsed = start.elapsed().min(time);
            if in_place {
                let table = sample.table(elapsed, time);
                self.terminal.clear_last_lines(drawn).context("cannot draw on the terminal")?;
                self.terminal.write_str(&table).context("cannot write the table")?;
                drawn = table.lines().count();
            } else {
                println!("{}", sample.line(elapsed));
            }
            if elapsed == time {
                return Ok(());
            }
        }
    }
}

/// One look at everything.
struct Sample {
    requests: u64,
    old: Server,
    new: Server,
    copies: Option<Copies>,
}

/// What a server counted.
struct Server {
    items: u64,
    sets: u64,
    gets: u64,
    hits: u64,
}

/// What the mirror counted. Copies are counted in segments, as they are on the wire.
struct Copies {
    cloned: u64,
    applied: u64,
    empty: u64,
    lost: u64,
    adopted: u64,
    opened: u64,
}

impl Sample {
    fn take(mirror: &Mirror, load: &Load, map: Option<&str>) -> Self {
        Self {
            requests: load.requests(),
            old: Server::ask(&mirror.old_server, &mirror.old),
            new: Server::ask(&mirror.new_server, &mirror.new),
            copies: map.map(|map| Copies::read(mirror, map)),
        }
    }

    fn table(&self, elapsed: Duration, of: Duration) -> String {
        let mut servers = Table::new();
        servers.load_style(NOTHING);
        servers.set_header(["", "items", "sets", "gets", "hits", "hit rate"]);
        for (name, server) in [("old", &self.old), ("new", &self.new)] {
            servers.add_row([
                name.to_owned(),
                server.items.to_string(),
                server.sets.to_string(),
                server.gets.to_string(),
                server.hits.to_string(),
                server.hit_rate(),
            ]);
        }
        let mut text = rows(&mut servers);
        if let Some(copies) = &self.copies {
            let mut mirror = Table::new();
            mirror.load_style(NOTHING);
            mirror.set_header(["copies", "cloned", "applied", "without data", "lost"]);
            let counts = [copies.cloned, copies.applied, copies.empty, copies.lost];
            mirror.add_row([&[String::new()], &counts.map(|count| count.to_string())[..]].concat());
            text += &rows(&mut mirror);
            text += &copies.connections();
            text.push('\n');
        }
        let (seconds, all) = (elapsed.as_secs(), of.as_secs());
        text + &format!("{seconds} of {all} s, {} requests answered\n", self.requests)
    }

    fn line(&self, elapsed: Duration) -> String {
        let (seconds, old, new) = (elapsed.as_secs(), self.old.line(), self.new.line());
        let copies = self.copies.as_ref().map_or_else(String::new, |copies| {
            let Copies { cloned, applied, empty, lost, .. } = copies;
            format!(
                "; copies: {cloned} cloned, {applied} applied, {empty} without data, {lost} lost; {}",
                copies.connections()
            )
        });
        format!("{seconds:>3} s  old: {old}; new: {new}{copies}")
    }
}

impl Server {
    fn ask(server: &Memcached, host: &Host) -> Self {
        let stats = server.stats(host);
        Self {
            items: number(&stats, "curr_items"),
            sets: number(&stats, "cmd_set"),
            gets: number(&stats, "cmd_get"),
            hits: number(&stats, "get_hits"),
        }
    }

    fn hit_rate(&self) -> String {
        (self.hits * 100)
            .checked_div(self.gets)
            .map_or_else(|| "-".to_owned(), |rate| format!("{rate} %"))
    }

    fn line(&self) -> String {
        let Self { items, sets, gets, hits } = self;
        format!("{items} items, {sets} sets, {gets} gets, {hits} hits")
    }
}

impl Copies {
    fn read(mirror: &Mirror, map: &str) -> Self {
        let (cloned, target) = (mirror.old.map_counters(map), mirror.new.counters("target"));
        let of = |name: &str| target.get(name).copied().unwrap_or(0);
        Self {
            cloned: cloned.get("sent_segments").copied().unwrap_or(0),
            applied: of("applied"),
            empty: of("discarded_pure_ack"),
            lost: lost(&target),
            adopted: of("adopted"),
            opened: of("opened"),
        }
    }

    fn connections(&self) -> String {
        let Self { adopted, opened, .. } = self;
        format!("connections: {adopted} adopted, {opened} opened under the mirror")
    }
}

fn number(stats: &BTreeMap<String, String>, name: &str) -> u64 {
    stats.get(name).and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// The table as text, numbers to the right.
fn rows(table: &mut Table) -> String {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
