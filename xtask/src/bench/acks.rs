//! What share of copied packets are acknowledgements without data: where clients fetch much, most are.

use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use mirror_tests::{
    agent::Counters,
    client::{Connection, set_request},
    mirror::PORT,
};

use super::{
    Plan,
    data::VALUE,
    load::stay_on,
    report::{Cell, Report},
    side::Side,
    site::{PRODUCTION, Site},
};
use crate::interrupt::Interrupt;

const LARGE: usize = 100_000;
/// Gets to one set.
const GETS: usize = 10;
/// Requests that a load is at least.
const REQUESTS: usize = 200;

/// What a client stores once, and fetches ten times.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    /// Bytes of the value that it fetches.
    fetched: usize,
    /// Bytes of the value that it stores, by another key.
    stored: usize,
    /// Whether interfaces hand on segments joined: a pair of virtual ones can, up to 64 kB at once.
    joined: bool,
}

impl Load {
    const ALL: [Self; 5] = [
        Self::new("gets and sets of 100 bytes", VALUE.len(), VALUE.len(), true),
        Self::new("gets of 100 kB, sets of 100 bytes", LARGE, VALUE.len(), true),
        Self::new("gets and sets of 100 kB", LARGE, LARGE, true),
        Self::new("gets of 100 kB, sets of 100 bytes", LARGE, VALUE.len(), false),
        Self::new("gets and sets of 100 kB", LARGE, LARGE, false),
    ];

    const fn new(name: &'static str, fetched: usize, stored: usize, joined: bool) -> Self {
        Self { name, fetched, stored, joined }
    }
}

pub(crate) fn measure(
    site: &Site,
    plan: Plan,
    interrupt: &Interrupt,
    report: &mut Report,
) -> Result<()> {
    let _running = Side::One.start(site)?;
    let rows: Result<Vec<_>> =
        Load::ALL.into_iter().map(|load| row(site, load, plan, interrupt)).collect();
    join(site, true);
    report.table(
        "Copies that only acknowledge",
        &format!(
            "One connection, {GETS} gets to one set. Of the segments that arrive at the new host, those without \
             data: the target makes\nacknowledgements of its own, and discards these. Joined: the lab's \
             interfaces hand on up to 64 kB at once, and clients\nacknowledge that at once, as where cards \
             join segments. Not joined: each segment by itself."
        ),
        &["load", "segments", "requests", "mirrored\npackets", "arrived", "without\ndata", "share\n%"],
        &rows?,
    );
    Ok(())
}

fn row(site: &Site, load: Load, plan: Plan, interrupt: &Interrupt) -> Result<Vec<Cell>> {
    interrupt.check()?;
    let joined = if load.joined { "joined" } else { "not joined" };
    eprintln!("copies that only acknowledge: {}, {joined}", load.name);
    join(site, load.joined);
    let before = counters(site);
    let requests = std::thread::scope(|scope| {
        let client = scope.spawn(|| ask(site, load, plan, interrupt));
        client.join().unwrap_or_else(|_| Err(anyhow!("the client panicked")))
    })?;
    let after = counters(site);
    let passed = |role: usize, name: &str| {
        let of = |counters: &[Counters; 2]| counters[role].get(name).copied().unwrap_or(0);
        of(&after) - of(&before)
    };
    let (arrived, bare) = (passed(1, "arrived"), passed(1, "discarded_pure_ack"));
    ensure!(arrived > 0, "no copies arrived");
    Ok(vec![
        Cell::text(load.name),
        Cell::text(joined),
        Cell::count(requests),
        Cell::count(passed(0, "mirrored")),
        Cell::count(arrived),
        Cell::count(bare),
        Cell::Number(100.0 * bare as f64 / arrived as f64, 1),
    ])
}

/// Of the source and of the target.
fn counters(site: &Site) -> [Counters; 2] {
    [site.old.settled("source"), site.new[0].settled("target")]
}

/// Whether the client and the old host hand on segments joined, out and in.
fn join(site: &Site, joined: bool) {
    let state = if joined { "on" } else { "off" };
    for host in [&site.client, &site.old] {
        host.output("ethtool", &["-K", "eth0", "tso", state, "gso", state, "gro", state]);
    }
}

/// The load, for a turn at least. Returns how many requests it was.
fn ask(site: &Site, load: Load, plan: Plan, interrupt: &Interrupt) -> Result<u64> {
    const FETCHED: &str = "acks-fetched";
    stay_on(PRODUCTION)?;
    let mut connection = Connection::open(&site.client, site.old.v4(), PORT);
    connection.set(FETCHED, &vec![b'a'; load.fetched]);
    let set = set_request("acks-stored", &vec![b'a'; load.stored]);
    let get = format!("get {FETCHED}\r\n");
    let reply = format!("VALUE {FETCHED} 0 {}\r\n\r\nEND\r\n", load.fetched).len() + load.fetched;
    let (start, mut requests) = (Instant::now(), 1);
    while requests < REQUESTS || start.elapsed() < plan.turn {
        interrupt.check()?;
        connection.send(&set);
        connection.read_exact("STORED\r\n".len());
        for _ in 0..GETS {
            connection.send(get.as_bytes());
            connection.read_exact(reply);
        }
        requests += GETS + 1;
    }
    Ok(requests as u64)
}
