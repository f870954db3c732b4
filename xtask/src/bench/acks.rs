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

/// How what the old host sends gets to the client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Up to 64 kB at once, as virtual interfaces hand it on.
    Joined,
    /// One segment after the other.
    Wire,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Joined => "up to 64 kB at once",
            Self::Wire => "a wire of 1 Gbit/s",
        }
    }

    fn set(self, site: &Site) {
        let state = if self == Self::Joined { "on" } else { "off" };
        for host in [&site.client, &site.old] {
            host.output("ethtool", &["-K", "eth0", "tso", state, "gso", state, "gro", state]);
        }
        let switch = site.lab.switch();
        match self {
            Self::Joined => switch.shell("tc qdisc del dev client root 2>/dev/null || true"),
            Self::Wire => switch
                .shell("tc qdisc replace dev client root tbf rate 1gbit burst 4kb latency 100ms"),
        };
    }
}

/// What a client stores once, and fetches ten times.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    /// Bytes of the value that it fetches.
    fetched: usize,
    /// Bytes of the value that it stores, by another key.
    stored: usize,
    way: Way,
}

impl Load {
    const ALL: [Self; 5] = [
        Self::new("gets and sets of 100 bytes", VALUE.len(), VALUE.len(), Way::Joined),
        Self::new("gets of 100 kB, sets of 100 bytes", LARGE, VALUE.len(), Way::Joined),
        Self::new("gets and sets of 100 kB", LARGE, LARGE, Way::Joined),
        Self::new("gets of 100 kB, sets of 100 bytes", LARGE, VALUE.len(), Way::Wire),
        Self::new("gets and sets of 100 kB", LARGE, LARGE, Way::Wire),
    ];

    const fn new(name: &'static str, fetched: usize, stored: usize, way: Way) -> Self {
        Self { name, fetched, stored, way }
    }
}

pub(crate) fn measure(
    site: &Site,
    plan: Plan,
    interrupt: &Interrupt,
    report: &mut Report,
) -> Result<()> {
    let _running = Side::One.start(site)?;
    let mut before = counters(site);
    let mut rows = Vec::new();
    for load in Load::ALL {
        interrupt.check()?;
        eprintln!("copies that only acknowledge: {}, {}", load.name, load.way.name());
        load.way.set(site);
        // On a thread of its own, as it is kept on a CPU.
        let requests = std::thread::scope(|scope| {
            let client = scope.spawn(|| ask(site, load, plan, interrupt));
            client.join().unwrap_or_else(|_| Err(anyhow!("the client panicked")))
        })?;
        let after = counters(site);
        rows.push(row(load, requests, &before, &after)?);
        before = after;
    }
    Way::Joined.set(site);
    report.table(
        "Copies that only acknowledge",
        &format!(
            "One connection, {GETS} gets to one set. Of the segments that arrive at the new host, those without \
             data: the target makes\nacknowledgements of its own, and discards these. The larger the pieces in \
             which replies come, the fewer clients send."
        ),
        &["load", "replies come by", "requests", "mirrored\npackets", "arrived", "without\ndata", "share\n%"],
        &rows,
    );
    Ok(())
}

fn row(
    load: Load,
    requests: u64,
    before: &[Counters; 2],
    after: &[Counters; 2],
) -> Result<Vec<Cell>> {
    let passed = |role: usize, name: &str| {
        let of = |counters: &[Counters; 2]| counters[role].get(name).copied().unwrap_or(0);
        of(after) - of(before)
    };
    let (arrived, bare) = (passed(1, "arrived"), passed(1, "discarded_pure_ack"));
    ensure!(arrived > 0, "no copies arrived");
    Ok(vec![
        Cell::text(load.name),
        Cell::text(load.way.name()),
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
