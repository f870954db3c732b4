//! What has to be true at the end. Nothing here trusts what the mirror says of itself alone: the
//! content is read from both servers, the silence from the client's wire.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mirror_tests::{
    agent::{self, Counters, sum},
    client::Connection,
    mirror::Mirror,
};

use super::{NEW_CONNECTIONS, OLD_CONNECTIONS, content, load::Done};
use crate::interrupt::Interrupt;

/// How long counters may take to stand still after the last request.
const SETTLE: Duration = Duration::from_secs(10);

/// One thing that has to be true.
pub(crate) struct Check {
    /// Whether it is.
    pub(crate) passed: bool,
    /// What was seen.
    pub(crate) what: String,
}

/// The counters of both hosts when nothing moved any more.
#[derive(PartialEq, Eq)]
pub(crate) struct Settled {
    source: Counters,
    map: Counters,
    target: Counters,
}

impl Settled {
    fn read(mirror: &Mirror, map: &str) -> Self {
        Self {
            source: mirror.old.counters("source"),
            map: mirror.old.map_counters(map),
            target: mirror.new.counters("target"),
        }
    }
}

/// Waits until the counters stand still.
pub(crate) fn settle(mirror: &Mirror, map: &str, interrupt: &Interrupt) -> Result<Settled> {
    let start = Instant::now();
    let mut before = Settled::read(mirror, map);
    loop {
        interrupt.sleep(Duration::from_millis(300))?;
        let now = Settled::read(mirror, map);
        if now == before {
            return Ok(now);
        }
        if start.elapsed() > SETTLE {
            bail!("the counters still move {} s after the last request", SETTLE.as_secs());
        }
        before = now;
    }
}

/// What clients got, and what both servers hold.
pub(crate) fn of_content(
    mirror: &Mirror,
    done: &Done,
    interrupt: &Interrupt,
) -> Result<Vec<Check>> {
    println!(
        "Compared is every key that was stored after the first request of its connection under the\n\
         mirror. On an older connection, that request only shows the mirror where requests begin;\n\
         it is lost."
    );
    let mut old = mirror.old_server.inside(&mirror.old);
    let mut new = mirror.new_server.inside(&mirror.new);
    let (mut bytes, mut different) = (0, Vec::new());
    for key in &done.mirrored {
        interrupt.check()?;
        let value = content::of(key);
        let (of_old, of_new) = (seen(&mut old, key, &value), seen(&mut new, key, &value));
        if of_old == "right" && of_new == "right" {
            bytes += value.len();
        } else {
            different.push(format!("{key} ({} bytes): old {of_old}, new {of_new}", value.len()));
        }
    }
    let keys = done.mirrored.len();
    let same = if different.is_empty() {
        format!("{keys} keys, {bytes} bytes: on both servers exactly what the clients stored")
    } else {
        let (count, some) = (different.len(), &different[..different.len().min(5)]);
        format!(
            "{count} of {keys} keys are not the same on both servers:\n      {}",
            some.join("\n      ")
        )
    };
    Ok(vec![
        Check {
            passed: done.wrong == 0,
            what: format!(
                "{} requests of the clients, {} wrong answers",
                done.requests, done.wrong
            ),
        },
        Check { passed: different.is_empty() && keys > 0, what: same },
    ])
}

/// What a server has for a key.
fn seen(server: &mut Connection, key: &str, value: &[u8]) -> &'static str {
    match server.get(key) {
        Some(found) if found == value => "right",
        Some(_) => "other bytes",
        None => "nothing",
    }
}

/// Every connection was mirrored, and every packet has a name.
pub(crate) fn of_counters(settled: &Settled) -> Vec<Check> {
    let Settled { source, map, target } = settled;
    let (adopted, opened, broken) =
        (one(target, "adopted"), one(target, "opened"), one(target, "desynced"));
    let (lost, unsynced) = (agent::lost(target), one(target, "discarded_unsynced"));
    let (seen, cloned) = (one(source, "seen"), one(source, "mirrored"));
    let others = sum(source, "skipped_") + sum(source, "failed_");
    let (sent, arrived) = (one(map, "sent_segments"), one(target, "arrived"));
    let (applied, discarded) = (one(target, "applied"), sum(target, "discarded_"));
    vec![
        Check {
            passed: adopted == OLD_CONNECTIONS as u64
                && opened == NEW_CONNECTIONS as u64
                && broken == 0,
            what: format!(
                "{adopted} of {OLD_CONNECTIONS} older connections adopted, \
                 {opened} of {NEW_CONNECTIONS} new ones opened, {broken} broken"
            ),
        },
        Check {
            passed: lost == unsynced,
            what: format!(
                "{lost} segments lost, {unsynced} of them before an adoption ({:.1} for each)",
                unsynced as f64 / adopted.max(1) as f64
            ),
        },
        Check {
            passed: seen == cloned + others,
            what: format!(
                "source: {seen} packets seen = {cloned} mirrored + {others} skipped or failed"
            ),
        },
        Check {
            passed: sent == arrived,
            what: format!("between: {sent} segments sent = {arrived} arrived"),
        },
        Check {
            passed: arrived == applied + discarded,
            what: format!(
                "target: {arrived} segments arrived = {applied} applied + {discarded} discarded \
                 ({} without data)",
                one(target, "discarded_pure_ack")
            ),
        },
    ]
}

/// What the client's wire is watched for: whatever the new host sends, and, to know that the watch
/// works, the old host's answers to connections.
pub(crate) fn capture_filter(mirror: &Mirror) -> String {
    let (new_v4, new_v6, old) = (mirror.new.v4(), mirror.new.v6(), mirror.old.v4());
    format!(
        "ip src host {new_v4} or ip6 src host {new_v6} \
         or (ip src host {old} and tcp[tcpflags] & tcp-syn != 0)"
    )
}

/// The client never heard of the new host.
pub(crate) fn of_silence(mirror: &Mirror, packets: &[String]) -> Check {
    let answer = format!(" IP {}.{} > ", mirror.old.v4(), mirror.port());
    let (answers, leaked): (Vec<&String>, Vec<&String>) =
        packets.iter().partition(|line| line.contains(&answer));
    let mut what = format!(
        "capture at the client: {} packets from the new host, attach to detach; {} of {} handshakes \
         with the old one seen",
        leaked.len(),
        answers.len(),
        NEW_CONNECTIONS
    );
    for line in leaked.iter().take(5) {
        what += &format!("\n      {line}");
    }
    Check { passed: leaked.is_empty() && answers.len() == NEW_CONNECTIONS, what }
}

fn one(counters: &Counters, name: &str) -> u64 {
    counters.get(name).copied().unwrap_or(0)
}
