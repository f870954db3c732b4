//! Whether memcached takes so many connections (`-c`) as are mirrored to it beside those of its own clients: it refuses what
//! is too much, whoever that is.

use crate::{
    net::{
        process,
        sock_diag::{self, Listener},
    },
    stats::figures::grouped,
};

/// What it takes where nothing else is said (memcached.c, `settings_init`).
const DEFAULT: u64 = 1024;
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
pub fn warnings(ports: &[u16]) -> Vec<String> {
    all(ports).iter().filter_map(full).collect()
}

/// What to report of memcached at `ports`, a line each, when it is about to get `mirrored` connections at most.
pub fn report(ports: &[u16], mirrored: u32) -> String {
    all(ports).iter().filter_map(|one| smaller(one, mirrored)).collect()
}

/// Those of this network namespace. Known from outside: they are not asked.
fn all(ports: &[u16]) -> Vec<Connections> {
    let listeners = sock_diag::listeners().unwrap_or_default();
    let mut found: Vec<Connections> = Vec::new();
    for Listener { port, inode, .. } in listeners {
        if !ports.contains(&port) || found.iter().any(|one| one.port == port) {
            continue;
        }
        if let Some(limit) = process::command_with(inode).and_then(|words| limit_of(&words))
            && let Ok(now) = sock_diag::count_open(port)
        {
            found.push(Connections { port, now, limit });
        }
    }
    found
}

/// What a memcached was told by its command line; `None` of anything else.
fn limit_of(command: &[String]) -> Option<u64> {
    let (program, words) = command.split_first()?;
    if !program.contains("memcached") {
        return None;
    }
    let mut limit = DEFAULT;
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let given = match word.strip_prefix("--conn-limit") {
            Some("") => words.peek().map(|next| next.as_str()),
            Some(value) => value.strip_prefix('='),
            None => match word.strip_prefix("-c") {
                Some("") => words.peek().map(|next| next.as_str()),
                value => value,
            },
        };
        limit = given.and_then(|given| given.parse().ok()).unwrap_or(limit);
    }
    Some(limit)
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

    #[test]
    fn a_limit_is_read_off_the_command_line() {
        let of = |line: &str| limit_of(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for (line, want) in [
            ("memcached -p 11211", Some(1024)),
            ("/usr/bin/memcached -m 64 -c 4096 -u cache", Some(4096)),
            ("memcached -c16 -vv", Some(16)),
            ("memcached --conn-limit=7", Some(7)),
            ("memcached --conn-limit 8 -t 4", Some(8)),
            ("memcached -c", Some(1024)),
            ("nginx -c 4096", None),
        ] {
            assert_eq!(of(line), want, "{line}");
        }
        assert_eq!(limit_of(&[]), None);
    }

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
