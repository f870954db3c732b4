//! A long line between the client and the switch, which takes its time and may lose frames. It is a few threads with
//! packet sockets, since not every kernel has netem.
//!
//! ```text
//!   client ─────── "client" ┌────────┐ "line" ─────── br0 ─── old, new
//!                           │ 20 ms  │
//!                           └────────┘
//! ```

use std::{
    os::fd::AsRawFd as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread::{JoinHandle, sleep},
    time::{Duration, Instant},
};

use nix::sys::socket::{MsgFlags, recv, send};

use crate::{mirror::Mirror, wire};

/// What has no data is no longer than this: Ethernet's header, and the longest of IPv4 and TCP.
const HEADERS: usize = 14 + 60 + 60;

/// The line, until dropped.
#[derive(Debug)]
pub struct LongLine {
    state: Arc<State>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    /// How long each way takes, in ns.
    delay: AtomicU64,
    /// Of so many of the client's frames with data, one is lost; 0: none.
    one_of: AtomicU64,
    lost: AtomicU64,
    end: AtomicBool,
}

impl LongLine {
    /// Puts it before the client: each way takes this long, and nothing is lost.
    pub fn before_client(mirror: &Mirror, delay: Duration) -> Self {
        let switch = mirror.lab.switch();
        switch.ip(&["link", "add", "line", "type", "veth", "peer", "name", "line-br"]);
        switch.ip(&["link", "set", "dev", "client", "nomaster"]);
        switch.ip(&["link", "set", "dev", "line-br", "master", "br0", "up"]);
        switch.ip(&["link", "set", "dev", "line", "up"]);
        // What packet sockets carry is as on a wire: with checksums, and cut into segments.
        for host in [&mirror.client, &mirror.old] {
            host.output("ethtool", &["-K", "eth0", "tx", "off", "tso", "off", "gso", "off"]);
        }
        let mut line = Self { state: Arc::default(), threads: Vec::new() };
        line.set_delay(delay);
        line.carry(mirror, ["client", "line"], true);
        line.carry(mirror, ["line", "client"], false);
        line
    }

    /// From now on, each way takes this long.
    pub fn set_delay(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_nanos()).expect("less than centuries");
        self.state.delay.store(delay, Relaxed);
    }

    /// From now on, of so many of the client's frames with data, one is lost.
    pub fn lose_one_of(&self, frames: u64) {
        self.state.one_of.store(frames, Relaxed);
    }

    /// How many frames were lost up to now.
    pub fn lost(&self) -> u64 {
        self.state.lost.load(Relaxed)
    }

    /// One way: a thread takes frames off one interface, and another puts them on the other when they are due.
    fn carry(&mut self, mirror: &Mirror, way: [&str; 2], loses: bool) {
        let [from, to] = way.map(|interface| wire::tap(mirror.lab.switch(), interface));
        let (later, due) = mpsc::channel::<(Instant, Vec<u8>)>();
        let state = Arc::clone(&self.state);
        self.threads.push(std::thread::spawn(move || {
            let mut with_data = 0;
            let mut buffer = vec![0; 1 << 16];
            while !state.end.load(Relaxed) {
                // An error is the end of the socket's patience, for the most part.
                let Ok(n) = recv(from.as_raw_fd(), &mut buffer, MsgFlags::empty()) else {
                    continue;
                };
                if loses && n > HEADERS {
                    with_data += 1;
                    let one_of = state.one_of.load(Relaxed);
                    if one_of > 0 && with_data % one_of == 0 {
                        state.lost.fetch_add(1, Relaxed);
                        continue;
                    }
                }
                let when = Instant::now() + Duration::from_nanos(state.delay.load(Relaxed));
                if later.send((when, buffer[..n].to_vec())).is_err() {
                    return;
                }
            }
        }));
        self.threads.push(std::thread::spawn(move || {
            for (when, frame) in due {
                sleep(when.saturating_duration_since(Instant::now()));
                // What the interface does not take is lost, as on any line.
                let _ = send(to.as_raw_fd(), &frame, MsgFlags::empty());
            }
        }));
    }
}

impl Drop for LongLine {
    fn drop(&mut self) {
        self.state.end.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
