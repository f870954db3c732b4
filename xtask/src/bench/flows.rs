//! Whether many connections make a packet dearer.
//!
//! A process can have so many files open, and only root with `CAP_SYS_RESOURCE` more. So connections come
//! in groups, each with a port, a server on either host, and a thread with a table of files of its own.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use mirror_tests::{
    Host, Lab,
    client::{connect_many, set_request},
    memcached::Memcached,
    mirror::PORT,
};
use nix::{
    sched::{CloneFlags, unshare},
    sys::resource::{Resource, getrlimit, setrlimit},
};

use super::{
    Plan,
    report::{Cell, Report},
    site::Site,
    statistics::{Statistics, Times},
};
use crate::interrupt::Interrupt;

const COUNTS: [usize; 5] = [10, 100, 1000, 10_000, 100_000];
/// Connections that one client address can have to one port: Linux gives 28,000 away by itself.
const PER_ADDRESS: usize = 25_000;
/// Files that a process has open besides the connections.
const OTHER_FILES: usize = 1000;
/// Connections at a time: fewer than memcached's queue of them (`-b`) holds.
const BATCH: usize = 500;
const PAUSE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(2);
const GONE: &str = "a group of connections failed";

pub(crate) fn measure(plan: Plan, interrupt: &Interrupt, report: &mut Report) -> Result<()> {
    let largest = limit()?.saturating_sub(OTHER_FILES);
    ensure!(largest > 0, "this process may open hardly any files");
    let _statistics = Statistics::on()?;
    let (mut rows, mut programs) = (Vec::new(), Vec::<String>::new());
    let counts = COUNTS.into_iter().filter(|count| *count < plan.connections);
    for count in counts.chain([plan.connections]) {
        interrupt.check()?;
        let groups = count.div_ceil(largest);
        eprintln!("{count} connections to {groups} servers");
        let row = with(count, groups, plan.requests, interrupt)?;
        // The same ones for each count.
        programs = row.programs.iter().map(|(title, _)| title.clone()).collect();
        let times = row.programs.into_iter().map(|(_, time)| time);
        rows.push(row.start.into_iter().chain(times).collect());
    }
    let heads = ["connections", "mirrored", "servers", "applied"].into_iter();
    let heads: Vec<&str> = heads.chain(programs.iter().map(String::as_str)).collect();
    report.table(
        "Many connections",
        &format!(
            "ns for each run of a program, over {} sets of 100 bytes on all connections in turn.",
            plan.requests
        ),
        &heads,
        &rows,
    );
    Ok(())
}

/// The soft limit of open files, which this raises as far as it goes.
fn limit() -> Result<usize> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).context("cannot read a limit")?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("cannot raise a limit")?;
    Ok(usize::try_from(hard)?)
}

/// Hosts, with `servers` servers on each.
struct Farm {
    old_servers: Vec<Memcached>,
    new_servers: Vec<Memcached>,
    client: Host,
    old: Host,
    new: Host,
    _lab: Lab,
}

impl Farm {
    fn new(ports: &[u16], connections: usize) -> Self {
        let mut lab = Lab::new();
        let (client, old, new) = (lab.host("client"), lab.host("old"), lab.host("new"));
        let start = |host: &Host| -> Vec<Memcached> {
            // The limit of open files has to allow them.
            let limit = ["-c", &connections.to_string()];
            ports.iter().map(|port| Memcached::start_with(host, *port, &limit)).collect()
        };
        let (old_servers, new_servers) = (start(&old), start(&new));
        let served: String = ports.iter().map(|port| format!(" --port {port}")).collect();
        new.agent_ok(&format!("drop eth0{served}"));
        let target = new.v4();
        let maps: String =
            ports.iter().map(|port| format!(" --map {port}={target}:{port}")).collect();
        old.agent_ok(&format!("attach eth0{maps}"));
        Self { old_servers, new_servers, client, old, new, _lab: lab }
    }

    /// Requests that old and new servers have answered.
    fn answered(&self) -> (u64, u64) {
        let sum = |servers: &[Memcached], host: &Host| -> u64 {
            servers.iter().map(|server| Site::answered(server, host)).sum()
        };
        (sum(&self.old_servers, &self.old), sum(&self.new_servers, &self.new))
    }
}

/// A row of the table.
struct Row {
    start: Vec<Cell>,
    /// What a run of each program took, by the program's title.
    programs: Vec<(String, Cell)>,
}

fn with(count: usize, groups: usize, requests: usize, interrupt: &Interrupt) -> Result<Row> {
    let ports: Vec<u16> = (PORT..).take(groups).collect();
    let each = count.div_ceil(groups);
    let farm = Farm::new(&ports, each + OTHER_FILES / 2);
    let from: Vec<IpAddr> = (0..each.div_ceil(PER_ADDRESS))
        .map(|number| {
            let address = format!("10.77.0.{}", 100 + number);
            farm.client.ip(&["addr", "add", &format!("{address}/24"), "dev", "eth0"]);
            address.parse().context("an address")
        })
        .collect::<Result<_>>()?;
    std::thread::scope(|scope| {
        let groups: Vec<Group> = ports
            .iter()
            .map(|port| {
                let (group, orders, reports) = Group::new();
                let (client, from) = (&farm.client, &from);
                let server = SocketAddr::new(farm.old.v4(), *port);
                scope.spawn(move || {
                    unshare(CloneFlags::CLONE_FILES).context("a table of files of its own")?;
                    let mut connections = Vec::new();
                    for order in orders {
                        let result = match order {
                            Order::Connect(count) => {
                                connections.extend(connect_many(client, from, server, count));
                                Ok(())
                            }
                            Order::Ask(count) => ask(&mut connections, count, interrupt),
                        };
                        reports.send(result).context("nobody waits for a report")?;
                    }
                    Ok::<_, anyhow::Error>(())
                });
                group
            })
            .collect();
        for (group, server) in groups.iter().zip(&farm.new_servers) {
            connect(group, server, &farm.new, each, interrupt)?;
        }
        // Once through, so that the servers have seen them all.
        send(&groups, count)?;
        let (_, target) = (farm.old.settled("source"), farm.new.settled("target"));
        let mirrored = target.get("opened").copied().unwrap_or(0);
        let before = (Times::of(&farm.old)?, Times::of(&farm.new)?, farm.answered());
        send(&groups, requests)?;
        farm.old.settled("source");
        farm.new.settled("target");
        let after = (Times::of(&farm.old)?, Times::of(&farm.new)?);
        let answered = farm.answered();
        let programs = after.0.since(&before.0).into_iter().chain(after.1.since(&before.1));
        let programs = programs.map(|(program, time)| {
            (program.title().replace([' ', '_'], "\n"), Cell::Number(time.each(), 0))
        });
        let (old, new) = (answered.0 - before.2.0, answered.1 - before.2.1);
        ensure!(old > 0, "the old servers counted no requests");
        let start = vec![
            Cell::count(count as u64),
            Cell::count(mirrored),
            Cell::count(groups.len() as u64),
            Cell::Number(new as f64 / old as f64, 4),
        ];
        Ok(Row { start, programs: programs.collect() })
    })
}

/// What a group's thread is to do.
enum Order {
    /// Open so many connections.
    Connect(usize),
    /// Send so many requests.
    Ask(usize),
}

/// The other end of a group's thread, which ends when this is dropped.
struct Group {
    orders: Sender<Order>,
    reports: Receiver<Result<()>>,
}

impl Group {
    fn new() -> (Self, Receiver<Order>, Sender<Result<()>>) {
        let ((orders, taken), (told, reports)) = (channel(), channel());
        (Self { orders, reports }, taken, told)
    }

    fn order(&self, order: Order) -> Result<()> {
        self.orders.send(order).map_err(|_| anyhow!(GONE))
    }

    fn wait(&self) -> Result<()> {
        self.reports.recv().map_err(|_| anyhow!(GONE))?
    }
}

/// Opens `count` connections of a group, no faster than the new server accepts them: clients wait for the
/// old one only, and what its queue has no room for is lost to a mirror. Where it does not keep up this
/// stops waiting, and the table shows what was not applied.
fn connect(
    group: &Group,
    server: &Memcached,
    host: &Host,
    count: usize,
    interrupt: &Interrupt,
) -> Result<()> {
    let before = server.stat(host, "curr_connections");
    let mut patient = true;
    for open in (0..count).step_by(BATCH) {
        let batch = BATCH.min(count - open);
        group.order(Order::Connect(batch))?;
        group.wait()?;
        let wanted = before + (open + batch) as u64;
        let start = Instant::now();
        while patient && server.stat(host, "curr_connections") < wanted {
            interrupt.sleep(PAUSE)?;
            patient = start.elapsed() < PATIENCE;
        }
        interrupt.check()?;
    }
    if !patient {
        eprintln!("the new server does not accept all connections that are mirrored to it");
    }
    Ok(())
}

/// Has all groups send `count` requests together, and waits for the replies.
fn send(groups: &[Group], count: usize) -> Result<()> {
    for group in groups {
        group.order(Order::Ask(count.div_ceil(groups.len())))?;
    }
    groups.iter().try_for_each(Group::wait)
}

/// One request at a time.
fn ask(connections: &mut [TcpStream], count: usize, interrupt: &Interrupt) -> Result<()> {
    let mut reply = [0; b"STORED\r\n".len()];
    let total = connections.len();
    for number in 0..count {
        interrupt.check()?;
        let connection = &mut connections[number % total];
        connection.write_all(&set_request(&format!("flow{}", number % 1000), &[b'f'; 100]))?;
        connection.read_exact(&mut reply).context("an old server did not reply")?;
    }
    Ok(())
}
