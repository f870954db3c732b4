//! A server on a host, and what it holds.

use std::{collections::BTreeMap, net::IpAddr, process::Stdio};

use nix::sys::signal::Signal;

use crate::{
    client::Connection,
    host::{Host, Running},
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
        let child = host
            .command("memcached")
            .args(["-u", "root", "-m", "512", "-c", "4096", "-t", "2"])
            .args(["-p", &port.to_string(), "-U", &port.to_string()])
            .args(options)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("memcached is installed");
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

    /// Every key that the server holds.
    pub fn keys(&self, host: &Host) -> Vec<String> {
        // Items that the server is just moving are not listed, and it lists for one at a time.
        wait::until("a list of all keys", || {
            let reply = self.inside(host).ask("lru_crawler metadump all\r\n", "\r\n");
            let keys: Vec<String> = String::from_utf8_lossy(&reply)
                .lines()
                .filter_map(|line| line.strip_prefix("key=")?.split(' ').next())
                .map(str::to_owned)
                .collect();
            (keys.len() as u64 == self.stat(host, "curr_items")).then_some(keys)
        })
    }

    /// Keeps the server's threads on one CPU.
    pub fn pin(&self, host: &Host, cpu: usize) {
        host.output(
            "taskset",
            &["-a", "-p", "-c", &cpu.to_string(), &self.child.0.id().to_string()],
        );
    }

    /// One number of the server's `stats`.
    pub fn stat(&self, host: &Host, name: &str) -> u64 {
        let stats = self.stats(host);
        stats
            .get(name)
            .and_then(|value| value.parse().ok())
            .unwrap_or_else(|| panic!("memcached has no number {name}"))
    }

    /// Sends a signal, like SIGSTOP.
    pub fn signal(&self, signal: Signal) {
        self.child.signal(signal);
    }
}

/// Panics unless both servers hold the same for every key, a miss included.
pub fn assert_same(
    (old, old_host): (&Memcached, &Host),
    (new, new_host): (&Memcached, &Host),
    keys: impl IntoIterator<Item = impl AsRef<str>>,
) {
    let (mut of_old, mut of_new) = (old.inside(old_host), new.inside(new_host));
    for key in keys {
        let key = key.as_ref();
        let (want, have) = (of_old.get(key), of_new.get(key));
        assert!(
            want == have,
            "{key}: the old server has {}, the new one {}",
            describe(want.as_deref()),
            describe(have.as_deref())
        );
    }
}

fn describe(value: Option<&[u8]>) -> String {
    value.map_or_else(
        || "nothing".to_owned(),
        |value| {
            let head = String::from_utf8_lossy(&value[..value.len().min(20)]);
            format!("{} bytes ({head:?}…)", value.len())
        },
    )
}
