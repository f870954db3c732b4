//! A server on a host, and what it holds.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    process::{Command, Stdio},
};

use nix::sys::signal::Signal;

use crate::{
    client::Connection,
    host::{Host, Running},
    release::Release,
    wait,
};

/// A real memcached, which listens to TCP and UDP on all addresses of its host.
#[derive(Debug)]
pub struct Memcached {
    child: Running,
    port: u16,
}

impl Memcached {
    /// Starts one and waits until it accepts connections.
    pub fn start(host: &Host, port: u16) -> Self {
        Self::start_with(host, port, &[])
    }

    /// The same with further options, which win over the usual ones.
    pub fn start_with(host: &Host, port: u16, options: &[&str]) -> Self {
        Self::spawn(host.command("memcached"), host, port, options)
    }

    /// Starts one that agrees to MPTCP.
    pub fn start_multipath(host: &Host, port: u16) -> Self {
        Self::start_by(host, port, &["mptcpize", "run"], &[])
    }

    /// Starts one by another program, with further options.
    pub fn start_by(host: &Host, port: u16, program: &[&str], options: &[&str]) -> Self {
        let mut command = host.command(program[0]);
        command.args(&program[1..]).arg("memcached");
        Self::spawn(command, host, port, options)
    }

    /// Starts one of this release, with further options.
    pub fn start_release(host: &Host, port: u16, release: Release, options: &[&str]) -> Self {
        Self::spawn(release.command(host), host, port, options)
    }

    fn spawn(mut command: Command, host: &Host, port: u16, options: &[&str]) -> Self {
        let child = command
            .args(["-u", "root", "-m", "512", "-c", "4096", "-t", "2"])
            .args(["-p", &port.to_string(), "-U", &port.to_string()])
            .args(options)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("memcached and mptcpize are installed");
        let server = Self { child: Running(child), port };
        wait::until("memcached to accept connections", || {
            host.run(|| std::net::TcpStream::connect(("127.0.0.1", port))).ok()
        });
        server
    }

    /// A connection from the server's own host, over loopback.
    pub fn inside(&self, host: &Host) -> Connection {
        Connection::open(host, IpAddr::from([127, 0, 0, 1]), self.port)
    }

    /// The server's `stats`.
    pub fn stats(&self, host: &Host) -> BTreeMap<String, String> {
        let reply = self.inside(host).ask("stats\r\n", "END\r\n");
        String::from_utf8_lossy(&reply)
            .lines()
            .filter_map(|line| line.strip_prefix("STAT ")?.split_once(' '))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// What it keeps: by key, when it expires, its size and whether it was read since it was stored.
    pub fn items(&self, host: &Host) -> BTreeMap<String, String> {
        // Another listing, or memcached's own search for what has expired, may be running.
        let listing = wait::until("a list of all items", || {
            let mut connection = self.inside(host);
            let mut reply = connection.ask("lru_crawler metadump hash\r\n", "\r\n");
            // From 1.6.43 on, a list begins with a line of its own.
            if reply == b"OK\r\n" {
                reply.extend(connection.read_until(b"\r\n"));
            }
            (!reply.starts_with(b"BUSY")).then_some(reply)
        });
        String::from_utf8_lossy(&listing)
            .lines()
            .filter_map(|line| line.strip_prefix("key=")?.split_once(' '))
            .map(|(key, fields)| (key.to_owned(), comparable(fields)))
            .collect()
    }

    /// Keeps the server's threads on one CPU.
    pub fn pin(&self, host: &Host, cpu: usize) {
        host.output(
            "taskset",
            &["-a", "-p", "-c", &cpu.to_string(), &self.child.0.id().to_string()],
        );
    }

    /// Whether the server's threads run before those of all programs that have no such priority (`SCHED_FIFO`).
    pub fn run_first(&self, host: &Host, first: bool) {
        let policy = if first { ["--fifo", "--pid", "1"] } else { ["--other", "--pid", "0"] };
        let id = self.child.0.id().to_string();
        host.output("chrt", &[&["--all-tasks"], policy.as_slice(), &[id.as_str()]].concat());
    }

    /// One number of the server's `stats`.
    pub fn stat(&self, host: &Host, name: &str) -> u64 {
        let stats = self.stats(host);
        stats
            .get(name)
            .and_then(|value| value.parse().ok())
            .unwrap_or_else(|| panic!("memcached has no number {name}"))
    }

    /// How many clients are connected to it from other hosts. Its own `curr_connections` counts, for a while,
    /// those of a moment ago from inside.
    pub fn clients(&self, host: &Host) -> u64 {
        let here = format!("sport = :{}", self.port);
        let connected = ["established", "close-wait"].map(|state| {
            let sockets = host.output("ss", &["-Htn", "state", state, &here]);
            let inside = |line: &&str| line.contains(" 127.0.0.1:") || line.contains(" [::1]:");
            sockets.lines().filter(|line| !inside(line)).count() as u64
        });
        connected.iter().sum()
    }

    /// Ends it at once, and returns when it is gone.
    pub fn kill(&mut self) {
        self.child.0.kill().expect("memcached can be killed");
        self.child.0.wait().expect("memcached is a child of this process");
    }

    /// Sends a signal, like SIGSTOP.
    pub fn signal(&self, signal: Signal) {
        self.child.signal(signal);
    }
}

/// Panics unless both servers hold the same for every key: flags and value, or a miss.
pub fn assert_same(
    (old, old_host): (&Memcached, &Host),
    (new, new_host): (&Memcached, &Host),
    keys: impl IntoIterator<Item = impl AsRef<str>>,
) {
    let (mut of_old, mut of_new) = (old.inside(old_host), new.inside(new_host));
    for key in keys {
        let key = key.as_ref();
        let request = format!("get {key}\r\n");
        let (want, have) = (of_old.ask(&request, "END\r\n"), of_new.ask(&request, "END\r\n"));
        assert!(
            want == have,
            "{key}: the old server says {}, the new one {}",
            describe(&want),
            describe(&have)
        );
    }
}

/// Panics, and says how many, if keys that the old server holds are missing on the new one, or have another value.
pub fn assert_copied(
    (old, old_host): (&Memcached, &Host),
    (new, new_host): (&Memcached, &Host),
    keys: impl IntoIterator<Item = impl AsRef<str>>,
) {
    let (mut of_old, mut of_new) = (old.inside(old_host), new.inside(new_host));
    let (mut all, mut missing, mut different) = (0, Vec::new(), Vec::new());
    for key in keys {
        let key = key.as_ref().to_owned();
        let (want, have) = (of_old.get(&key), of_new.get(&key));
        assert!(want.is_some(), "the old server does not hold {key}");
        all += 1;
        match have {
            None => missing.push(key),
            have if have != want => different.push(key),
            _ => {}
        }
    }
    let (lost, stale) = (missing.len(), different.len());
    let some: Vec<_> = missing.iter().chain(&different).take(5).collect();
    assert!(
        lost + stale == 0,
        "{lost} of {all} keys are missing on the new server, {stale} have another value: {some:?}"
    );
}

/// Panics, and says how many, if the new server holds a value that the old one has overwritten or deleted: no miss
/// brings such a key up to date.
pub fn assert_none_stale(
    (old, old_host): (&Memcached, &Host),
    (new, new_host): (&Memcached, &Host),
    keys: impl IntoIterator<Item = impl AsRef<str>>,
) {
    let (mut of_old, mut of_new) = (old.inside(old_host), new.inside(new_host));
    let (mut all, mut overwritten, mut deleted) = (0, 0, 0);
    for key in keys {
        all += 1;
        match (of_old.get(key.as_ref()), of_new.get(key.as_ref())) {
            (None, Some(_)) => deleted += 1,
            (Some(want), Some(have)) if want != have => overwritten += 1,
            _ => {}
        }
    }
    assert!(
        overwritten + deleted == 0,
        "of {all} keys, the new server holds an older value of {overwritten}, and {deleted} that were deleted"
    );
}

/// Panics unless both servers hold the same items. To be asked last: it reads all of them.
pub fn assert_same_items(old: (&Memcached, &Host), new: (&Memcached, &Host)) {
    assert_same_items_but(&[], old, new);
}

/// The same, but for fields of items that begin like this.
pub fn assert_same_items_but(fields: &[&str], old: (&Memcached, &Host), new: (&Memcached, &Host)) {
    let (of_old, of_new) = (old.0.items(old.1), new.0.items(new.1));
    let item = |items: &BTreeMap<String, String>, key: &String| {
        let all = items.get(key)?.split(' ');
        let kept = all.filter(|field| !fields.iter().any(|it| field.starts_with(it)));
        Some(kept.collect::<Vec<_>>().join(" "))
    };
    for key in of_old.keys().chain(of_new.keys()) {
        let [old, new] = [&of_old, &of_new].map(|items| item(items, key));
        assert_eq!(old, new, "{key} of the old server and of the new one");
    }
    assert_same(old, new, of_old.keys());
}

/// Without the time of the last access, which each server's clock rounds for itself, and the `cas`
/// number, which is the server's own.
fn comparable(fields: &str) -> String {
    let own = |field: &&str| !field.starts_with("la=") && !field.starts_with("cas=");
    fields.split(' ').filter(own).collect::<Vec<_>>().join(" ")
}

fn describe(reply: &[u8]) -> String {
    let head = String::from_utf8_lossy(&reply[..reply.len().min(80)]);
    format!("{} bytes ({head:?}…)", reply.len())
}
