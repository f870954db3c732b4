//! Whether memcached takes so many connections (`-c`) as are mirrored to it beside those of its own clients: it refuses what
//! is too much, whoever that is.

use std::time::Duration;

use crate::{
    memcached::{Connection, endpoint::Endpoint},
    stats::figures::grouped,
};

/// For one that does not answer.
const PATIENCE: Duration = Duration::from_millis(500);
/// So many of a target's ports are asked.
const PORTS: usize = 16;
/// Of a hundred connections that a memcached takes, so many are in use, and it is time to say so.
const PERCENT: u64 = 80;
/// Or where no more than these are left: it keeps some for itself.
const LEFT: u64 = 32;

/// What a memcached of this host says of its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Connections {
    port: u16,
    now: u64,
    limit: u64,
}

/// What to say of memcached at `ports`, whose connections are nearly all in use.
pub async fn warnings(ports: &[u16]) -> Vec<String> {
    asked(ports).await.iter().filter_map(full).collect()
}

/// What to report of memcached at `ports`, a line each, when it is about to get `mirrored` connections at most.
pub async fn report(ports: &[u16], mirrored: u32) -> String {
    asked(ports).await.iter().filter_map(|one| smaller(one, mirrored)).collect()
}

/// Those that answer over loopback.
async fn asked(ports: &[u16]) -> Vec<Connections> {
    let mut found = Vec::new();
    for port in ports.iter().take(PORTS) {
        for host in ["127.0.0.1", "::1"] {
            if let Some(one) = ask(host, *port).await {
                found.push(one);
                break;
            }
        }
    }
    found
}

async fn ask(host: &str, port: u16) -> Option<Connections> {
    let server = Endpoint { host: host.to_owned(), port };
    let stats = Connection::open(&server, PATIENCE).await.ok()?.stats().await.ok()?;
    // This one is over now.
    Some(Connections {
        port,
        now: stats.connections?.saturating_sub(1),
        limit: stats.max_connections?,
    })
}

fn full(one: &Connections) -> Option<String> {
    let is_full = one.now * 100 >= one.limit * PERCENT || one.now + LEFT >= one.limit;
    is_full.then(|| {
        format!(
            "port {}: memcached has {} of {} connections (-c): it refuses what is more, of its own clients, too",
            one.port,
            grouped(one.now),
            grouped(one.limit)
        )
    })
}

fn smaller(one: &Connections, mirrored: u32) -> Option<String> {
    (one.limit < one.now + u64::from(mirrored)).then(|| {
        format!(
            "  port {}: memcached takes {} connections (-c), mirrored ones among them; the old host's and its own have to fit\n",
            one.port,
            grouped(one.limit)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Connections = Connections { port: 11211, now: 799, limit: 1000 };

    #[test]
    fn it_is_said_before_it_is_full() {
        assert_eq!(full(&SMALL), None);
        let said = full(&Connections { now: 800, ..SMALL }).unwrap();
        assert!(said.starts_with("port 11211: memcached has 800 of 1,000 connections"), "{said}");
        assert!(full(&Connections { now: 68, limit: 100, ..SMALL }).is_some());
        assert!(full(&Connections { now: 67, limit: 100, ..SMALL }).is_none());
    }

    #[test]
    fn a_table_that_fits_is_no_news() {
        assert_eq!(smaller(&SMALL, 201), None);
        let said = smaller(&SMALL, 202).unwrap();
        assert!(said.starts_with("  port 11211: memcached takes 1,000 connections (-c)"), "{said}");
    }
}
