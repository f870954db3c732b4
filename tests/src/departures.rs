//! Every frame that leaves a host, judged as it is on the wire: what is neither the host's own nor a finished copy is
//! wrong.
//!
//! ```text
//!   host eth0 ──▶ switch's port ──▶ tap ──▶ own         from the host's address
//!        eth1 ──▶ switch's port ──▶ tap ──▶ copy        to a target, sealed
//!                                           wrong       all else: with a client's link-layer address, unsealed, an ICMP
//!                                                       error, a fragment, too long
//! ```

mod frame;
mod tap;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

pub use frame::{Departure, Frame, Sender, SuperPacket};

use crate::{Family, Host, Lab, mirror::Mirror, second};

/// Wrong frames that are kept to be shown.
const SHOWN: usize = 5;

/// A watch on all frames that leave a host.
#[derive(Debug)]
pub struct Departures {
    stop: Arc<AtomicBool>,
    watchers: Vec<JoinHandle<Seen>>,
}

/// What left a host.
#[derive(Debug, Default)]
pub struct Seen {
    /// Frames that are the host's own.
    pub own: u64,
    /// Segments and datagrams, as a wire has them, that are finished copies, by where they go.
    pub copies: BTreeMap<SocketAddr, u64>,
    /// Frames that are neither.
    pub wrong: u64,
    /// Some of these, described.
    pub some: Vec<String>,
}

impl Departures {
    /// Watches the old host of a lab, whose targets are memcached's port of the new host, and the next one.
    pub fn of_old(mirror: &Mirror, interfaces: &[&str]) -> Self {
        Self::of_old_by_path(mirror, interfaces, usize::MAX)
    }

    /// The same where the path to the new host takes IP packets of so many bytes.
    pub fn of_old_by_path(mirror: &Mirror, interfaces: &[&str], path_mtu: usize) -> Self {
        let new = &mirror.new;
        let addresses =
            Family::BOTH.map(|family| [new.address(family), second::address_by(new, family)]);
        // And the port of a second memcached, where there is one.
        let ports = |address| [0, 1].map(|next| SocketAddr::new(address, mirror.port() + next));
        let targets = addresses.into_iter().flatten().flat_map(ports).collect();
        let senders = senders(&mirror.old, interfaces, targets)
            .map(|(interface, sender)| (interface, Sender { path_mtu, ..sender }));
        Self::watch_senders(&mirror.lab, &mirror.old, senders)
    }

    /// Watches what `host` sends by these interfaces; its copies go to `targets`. From now on, nothing is missed.
    pub fn watch(lab: &Lab, host: &Host, interfaces: &[&str], targets: Vec<SocketAddr>) -> Self {
        Self::watch_senders(lab, host, senders(host, interfaces, targets))
    }

    fn watch_senders<'a>(
        lab: &Lab,
        host: &Host,
        senders: impl Iterator<Item = (&'a str, Sender)>,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let watch = |(interface, sender): (&str, Sender)| {
            let tap = tap::Tap::at(lab.switch(), &host.port(interface));
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || observe(&tap, &sender, &stop))
        };
        let watchers = senders.map(watch).collect();
        Self { stop, watchers }
    }

    /// Ends the watch; returns what it saw.
    pub fn stop(mut self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Seen::default();
        for watcher in self.watchers.drain(..) {
            all.add(watcher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        all
    }
}

impl Drop for Departures {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for watcher in self.watchers.drain(..) {
            // A test that fails for another reason has this to say, too.
            if let Ok(Seen { wrong: wrong @ 1.., some, .. }) = watcher.join() {
                println!("{wrong} wrong frames: {some:#?}");
            }
        }
    }
}

impl Seen {
    /// All copies.
    pub fn copied(&self) -> u64 {
        self.copies.values().sum()
    }

    /// Panics, and says how many, if a frame left the host that is neither its own nor a finished copy.
    pub fn assert_none_wrong(&self) {
        let Self { own, wrong, some, .. } = self;
        assert!(self.wrong == 0, "{wrong} wrong frames beside {own} own ones: {some:#?}");
    }

    fn add(&mut self, other: Self) {
        self.own += other.own;
        self.wrong += other.wrong;
        self.some.extend(other.some);
        self.some.truncate(2 * SHOWN);
        for (target, segments) in other.copies {
            *self.copies.entry(target).or_default() += segments;
        }
    }

    fn count(&mut self, departure: Result<Departure, String>) {
        match departure {
            Ok(Departure::Own) => self.own += 1,
            Ok(Departure::Copy { target, segments }) => {
                *self.copies.entry(target).or_default() += segments;
            }
            Err(why) => {
                self.wrong += 1;
                if self.some.len() < SHOWN {
                    self.some.push(why);
                }
            }
        }
    }
}

/// Who sends by each of these interfaces of a host.
fn senders<'a>(
    host: &Host,
    interfaces: &[&'a str],
    targets: Vec<SocketAddr>,
) -> impl Iterator<Item = (&'a str, Sender)> {
    interfaces
        .iter()
        .map(move |&interface| (interface, Sender::at(host, interface, targets.clone())))
}

/// Judges until it is told to stop and nothing waits any more.
fn observe(tap: &tap::Tap, sender: &Sender, stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let mut buffer = vec![0; tap::LONGEST];
    loop {
        match tap.next(&mut buffer) {
            Some(Ok(frame)) => seen.count(sender.judge(&frame)),
            Some(Err(why)) => seen.count(Err(why)),
            None if stop.load(Ordering::Relaxed) => break,
            None => {}
        }
    }
    assert_eq!(tap.missed(), 0, "every frame is seen");
    seen
}
