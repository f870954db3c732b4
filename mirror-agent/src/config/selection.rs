//! What a source mirrors of that which its maps take: clients, a sample, until when, or nothing but counts.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::SocketAddr,
    time::Duration,
};

use anyhow::Result;
use mirror_common::{
    abi,
    source::select::{in_sample, takes_client},
};

use crate::{
    config::{
        clients::Clients,
        mapping::MapSpec,
        multiply::{self, Multiply},
        rate::Limits,
        sample::{Sample, SampleBy},
        time,
    },
    net::address::address,
};

/// The kernel's two tables of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    entry: abi::Selection,
    /// Prefixes of clients' addresses.
    pub clients: Clients,
}

impl Selection {
    /// All there is, for good, with a sample of its own.
    pub fn all() -> Self {
        let mut selection = Self::default();
        // Made of random keys, which is all that is wanted of it.
        selection.entry.seed = RandomState::new().hash_one(());
        selection.set_clients(Clients::default());
        selection.set_sample(Sample::ALL);
        selection
    }

    /// What a kernel's table and its prefixes say.
    pub(crate) fn from_kernel(entry: abi::Selection, clients: Clients) -> Self {
        Self { entry, clients }
    }

    /// The entry of the kernel's table.
    pub(crate) fn to_kernel(&self) -> abi::Selection {
        self.entry
    }

    /// Changes whose packets are mirrored.
    pub fn set_clients(&mut self, clients: Clients) {
        self.entry.by_client = u32::from(!clients.is_empty());
        self.entry.other_clients = u32::from(clients.included().is_empty());
        self.clients = clients;
    }

    /// Changes the share of connections.
    pub fn set_sample(&mut self, sample: Sample) {
        self.entry.sample = sample.0;
    }

    /// Changes what the sample takes as a whole.
    pub fn set_sample_by(&mut self, by: SampleBy) {
        self.entry.sample_by = by.to_kernel();
    }

    /// Changes when it is over: in so much time, or never.
    ///
    /// # Errors
    ///
    /// Where that is too far away for the kernel's clock.
    pub fn set_deadline(&mut self, ends_in: Option<Duration>) -> Result<()> {
        self.entry.deadline = ends_in.map(time::from_now).transpose()?.unwrap_or(0);
        Ok(())
    }

    /// Changes whether all is counted and nothing sent.
    pub fn set_dry_run(&mut self, dry_run: bool) {
        self.entry.dry_run = dry_run.into();
    }

    /// Changes how much each target is sent.
    pub fn set_limits(&mut self, limits: Limits) {
        self.entry.packets_per_s = limits.packets;
        self.entry.kbits_per_s = limits.kbits;
    }

    /// How much each target is sent.
    pub fn limits(&self) -> Limits {
        Limits { packets: self.entry.packets_per_s, kbits: self.entry.kbits_per_s }
    }

    /// Changes how often each connection is copied.
    pub fn set_multiply(&mut self, copies: &Multiply) {
        copies.to_kernel(&mut self.entry);
    }

    /// How often each connection is copied.
    pub fn multiply(&self) -> Multiply {
        Multiply::from_kernel(&self.entry)
    }

    /// The share of connections.
    pub fn sample(&self) -> Sample {
        Sample(self.entry.sample)
    }

    /// What the sample takes as a whole.
    pub fn sample_by(&self) -> SampleBy {
        SampleBy::from_kernel(self.entry.sample_by)
    }

    /// Whether all is counted and nothing sent.
    pub fn dry_run(&self) -> bool {
        self.entry.dry_run != 0
    }

    /// When it is over, in ns since boot; `None` if it has no end.
    pub fn deadline(&self) -> Option<u64> {
        (self.entry.deadline != 0).then_some(self.entry.deadline)
    }

    /// Whether the same connections are mirrored by both, for however long, as far as their targets take them.
    pub fn mirrors_like(&self, other: &Self) -> bool {
        let abi::Selection { deadline, packets_per_s, kbits_per_s, .. } = other.entry;
        let selection = abi::Selection { deadline, packets_per_s, kbits_per_s, ..self.entry };
        selection == other.entry && self.clients == other.clients
    }

    /// The clients' ends that copies of a connection have which `map` takes, or had until it was over; none where
    /// it is not mirrored.
    pub fn endpoints(&self, map: &MapSpec, client: SocketAddr) -> Vec<SocketAddr> {
        let selection = &self.entry;
        let of_client =
            selection.by_client == 0 || takes_client(selection, self.clients.find(client));
        let mirrored = selection.dry_run == 0
            && of_client
            && in_sample(selection, &address(client.ip()), client.port(), map.local_port);
        if mirrored { multiply::endpoints(selection, client) } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(included: &[&str], excluded: &[&str], sample: &str, dry_run: bool) -> Selection {
        let parse =
            |all: &[&str]| -> Vec<_> { all.iter().map(|one| one.parse().unwrap()).collect() };
        let clients = Clients::new(&parse(included), &parse(excluded)).unwrap();
        let mut selection = Selection::all();
        selection.set_clients(clients);
        selection.set_sample(sample.parse().unwrap());
        selection.set_dry_run(dry_run);
        selection
    }

    fn mirrors(one: &Selection, client: &str) -> bool {
        !one.endpoints(&"11211=10.0.0.5:11211".parse().unwrap(), client.parse().unwrap()).is_empty()
    }

    #[test]
    fn who_is_not_named_is_wanted_unless_others_are() {
        let all = chosen(&[], &[], "100%", false);
        let but = chosen(&[], &["10.1.0.0/16"], "100%", false);
        let some = chosen(&["10.0.0.0/8"], &["10.1.0.0/16"], "100%", false);
        for (client, wanted) in [
            ("10.0.0.1:1", [true, true, true]),
            ("10.1.0.1:1", [true, false, false]),
            ("11.0.0.1:1", [true, true, false]),
            ("[fd00::1]:1", [true, true, false]),
        ] {
            assert_eq!([&all, &but, &some].map(|one| mirrors(one, client)), wanted, "{client}");
        }
    }

    #[test]
    fn a_dry_run_mirrors_nobody() {
        assert!(!mirrors(&chosen(&[], &[], "100%", true), "10.0.0.1:1"));
    }

    #[test]
    fn a_sample_by_client_address_takes_a_pool_or_leaves_it() {
        let mut one = chosen(&[], &[], "50%", false);
        one.set_sample_by(SampleBy::ClientAddress);
        let of = |client: u32| {
            let pool = (40_000..40_050).map(|port| format!("10.0.0.{client}:{port}"));
            pool.filter(|endpoint| mirrors(&one, endpoint)).count()
        };
        let taken: Vec<usize> = (1..=200).map(of).collect();
        assert!(taken.iter().all(|count| [0, 50].contains(count)), "{taken:?}");
        assert!(taken.contains(&0) && taken.contains(&50));
    }

    #[test]
    fn a_sample_is_kept_by_the_next_choice() {
        let clients = || (1..5000).map(|port| format!("10.0.0.1:{port}"));
        let old = chosen(&[], &[], "20%", false);
        let more = Sample::ALL.0 / 2;
        let mut new = old.clone();
        new.set_sample(Sample(more));
        let other = chosen(&[], &[], "50%", false);
        let of =
            |one: &Selection| clients().filter(|client| mirrors(one, client)).collect::<Vec<_>>();
        let (before, after) = (of(&old), of(&new));
        assert!(before.iter().all(|client| after.contains(client)));
        assert!((800..1200).contains(&before.len()), "{}", before.len());
        assert!((2200..2800).contains(&after.len()), "{}", after.len());
        assert_ne!(after, of(&other), "another attachment's seed");
    }
}
