//! Clients of both protocols at work while a test does something else: production has to answer each of them at any
//! time.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{scope, sleep},
    time::{Duration, Instant},
};

use crate::{
    Family,
    client::{Connection, frame, udp},
    expected,
    mirror::Mirror,
    wait::{self, DEADLINE},
};

/// Requests of a connection, before the client makes another one.
const REQUESTS: usize = 20;
/// Keys of a client.
const KEYS: usize = 10;
/// Bytes of values; the largest one is more than a segment takes.
const SIZES: [usize; 3] = [10, 900, 20_000];
/// When a reply by UDP is lost.
const AGAIN: Duration = Duration::from_secs(2);
const PACE: Duration = Duration::from_millis(1);

/// Clients at work.
#[derive(Debug, Default)]
pub struct Load {
    stop: AtomicBool,
    answered: AtomicU64,
    asked_again: AtomicU64,
    complaints: Mutex<Vec<String>>,
}

/// Ends the clients' work, after a panic, too.
struct Stop<'a>(&'a Load);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

impl Load {
    /// Has clients set and get by TCP and UDP, IPv4 and IPv6, while `work` goes on. Panics if production leaves one
    /// of them without its reply.
    pub fn during<T>(mirror: &Mirror, work: impl FnOnce(&Self) -> T) -> T {
        Self::during_losses(mirror, |load| {
            let result = work(load);
            let asked_again = load.asked_again.load(Ordering::Relaxed);
            assert!(asked_again == 0, "{asked_again} requests by UDP had no reply");
            result
        })
    }

    /// The same where the kernel may lose a packet: by UDP, too, clients ask again.
    pub fn during_losses<T>(mirror: &Mirror, work: impl FnOnce(&Self) -> T) -> T {
        let load = Self::default();
        let result = scope(|scope| {
            let load = &load;
            let _stop = Stop(load);
            for family in Family::BOTH {
                scope.spawn(move || load.client(&|round| by_tcp(load, mirror, family, round)));
                scope.spawn(move || load.client(&|round| by_udp(load, mirror, family, round)));
            }
            work(load)
        });
        load.assert_content();
        result
    }

    /// Returns when so many further requests were answered.
    pub fn more(&self, requests: u64) {
        let (start, goal) = (Instant::now(), self.answered() + requests);
        while self.answered() < goal {
            self.assert_content();
            assert!(start.elapsed() < DEADLINE, "production answers too little");
            sleep(PACE);
        }
    }

    /// How many requests were answered.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    fn assert_content(&self) {
        let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(complaints.is_empty(), "production did not answer: {complaints:?}");
    }

    /// A client goes on by one connection after another.
    fn client(&self, connection: &dyn Fn(usize)) {
        let work = || {
            (0..).take_while(|_| !self.stop.load(Ordering::Relaxed)).for_each(connection);
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
            let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
            complaints.push(expected::message(&*panic).to_owned());
        }
    }

    /// Requests of a connection, until all are made or the work ends.
    fn each(&self, mut request: impl FnMut(usize)) {
        for number in 0..REQUESTS {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            request(number);
            self.answered.fetch_add(1, Ordering::Relaxed);
            sleep(PACE);
        }
    }
}

fn key(protocol: &str, family: Family, number: usize) -> String {
    format!("load-{protocol}-{family:?}-{}", number / 2 % KEYS)
}

fn by_tcp(load: &Load, mirror: &Mirror, family: Family, round: usize) {
    let mut client = Connection::open(&mirror.client, mirror.old.address(family), mirror.port());
    let value = vec![b'a' + (round % 26) as u8; SIZES[round % SIZES.len()]];
    load.each(|number| {
        let key = key("tcp", family, number);
        if number % 2 == 0 {
            client.set(&key, &value);
        } else {
            assert!(client.get(&key).as_ref() == Some(&value), "{key} has another value");
        }
    });
}

fn by_udp(load: &Load, mirror: &Mirror, family: Family, round: usize) {
    let socket = udp(&mirror.client, mirror.old.address(family), mirror.port());
    socket.set_read_timeout(Some(AGAIN)).expect("a time-out can be set");
    let value = format!("{round:05}");
    let mut reply = [0; 1500];
    load.each(|number| {
        let key = key("udp", family, number);
        let (request, wanted) = if number % 2 == 0 {
            (format!("set {key} 0 0 5\r\n{value}\r\n"), "STORED\r\n".to_owned())
        } else {
            (format!("get {key}\r\n"), format!("VALUE {key} 0 5\r\n{value}\r\nEND\r\n"))
        };
        let id = u16::try_from(number).expect("few requests");
        let n = wait::until("a reply by UDP", || {
            socket.send(&frame(id, 1, request.as_bytes())).expect("a datagram can be sent");
            let answered = socket.recv(&mut reply).ok();
            if answered.is_none() {
                load.asked_again.fetch_add(1, Ordering::Relaxed);
            }
            answered
        });
        assert!(reply[..n].starts_with(&id.to_be_bytes()), "the reply to this request");
        let text = String::from_utf8_lossy(&reply[8..n]);
        assert_eq!(text, wanted, "{key}");
    });
}
