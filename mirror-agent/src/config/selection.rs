//! What a source mirrors of that which its maps take: clients, a sample, until when, or nothing but counts.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::SocketAddr,
    time::Duration,
};

use anyhow::{Context as _, Result};
use mirror_common::{
    abi::Selection,
    source::select::{in_sample, takes_client},
};

use crate::{
    config::{
        clients::Clients,
        mapping::{MapSpec, address},
        multiply::{self, Copies},
        rate::Limits,
        sample::Sample,
        time,
    },
    kernel::{object, pins::Attachment},
    source::generation::Generation,
};

/// The kernel's two tables of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    selection: Selection,
    /// Prefixes of clients' addresses.
    pub clients: Clients,
}

impl Chosen {
    /// From what was typed, for an attachment that had `old`: whoever was in its sample stays there.
    ///
    /// # Errors
    ///
    /// Where the end is too far away for the kernel's clock.
    pub fn new(
        clients: Clients,
        sample: Sample,
        ends_in: Option<Duration>,
        dry_run: bool,
        old: Option<&Self>,
    ) -> Result<Self> {
        let mut chosen = Self::default();
        // Made of random keys, which is all that is wanted of it.
        chosen.selection.seed =
            old.map_or_else(|| RandomState::new().hash_one(()), |old| old.selection.seed);
        chosen.set_clients(clients);
        chosen.set_sample(sample);
        chosen.set_end(ends_in)?;
        chosen.set_dry_run(dry_run);
        Ok(chosen)
    }

    /// What is in force.
    pub fn read(attachment: &Attachment) -> Result<Self> {
        let generation = Generation::active(attachment)?;
        let selection = object::get(&object::array(attachment, "SELECTION")?, generation.number());
        Ok(Self {
            selection: selection.context("cannot read SELECTION")?,
            clients: Clients::read(attachment, generation)?,
        })
    }

    /// Makes a generation of the kernel's tables say this.
    pub fn write(&self, attachment: &Attachment, generation: Generation) -> Result<()> {
        self.clients.write(attachment, generation)?;
        object::array(attachment, "SELECTION")?
            .set(generation.number(), self.selection, 0)
            .context("cannot write SELECTION")
    }

    /// Changes whose packets are mirrored.
    pub fn set_clients(&mut self, clients: Clients) {
        self.selection.by_client = u32::from(!clients.is_empty());
        self.selection.other_clients = u32::from(clients.included().is_empty());
        self.clients = clients;
    }

    /// Changes the share of connections.
    pub fn set_sample(&mut self, sample: Sample) {
        self.selection.sample = sample.0;
    }

    /// Changes when it is over: in so much time, or never.
    ///
    /// # Errors
    ///
    /// Where that is too far away for the kernel's clock.
    pub fn set_end(&mut self, ends_in: Option<Duration>) -> Result<()> {
        self.selection.end = ends_in.map(time::from_now).transpose()?.unwrap_or(0);
        Ok(())
    }

    /// Changes whether all is counted and nothing sent.
    pub fn set_dry_run(&mut self, dry_run: bool) {
        self.selection.dry_run = dry_run.into();
    }

    /// Changes how much each target is sent.
    pub fn set_limits(&mut self, limits: Limits) {
        self.selection.packets_per_s = limits.packets;
        self.selection.kbits_per_s = limits.kbits;
    }

    /// How much each target is sent.
    pub fn limits(&self) -> Limits {
        Limits { packets: self.selection.packets_per_s, kbits: self.selection.kbits_per_s }
    }

    /// Changes how often each connection is copied.
    pub fn set_copies(&mut self, copies: &Copies) {
        copies.to_kernel(&mut self.selection);
    }

    /// How often each connection is copied.
    pub fn copies(&self) -> Copies {
        Copies::from_kernel(&self.selection)
    }

    /// The share of connections.
    pub fn sample(&self) -> Sample {
        Sample(self.selection.sample)
    }

    /// Whether all is counted and nothing sent.
    pub fn dry_run(&self) -> bool {
        self.selection.dry_run != 0
    }

    /// When it is over, in ns since boot; `None` if it has no end.
    pub fn end(&self) -> Option<u64> {
        (self.selection.end != 0).then_some(self.selection.end)
    }

    /// Whether the same connections are mirrored by both, for however long, as far as their targets take them.
    pub fn mirrors_like(&self, other: &Self) -> bool {
        let Selection { end, packets_per_s, kbits_per_s, .. } = other.selection;
        let selection = Selection { end, packets_per_s, kbits_per_s, ..self.selection };
        selection == other.selection && self.clients == other.clients
    }

    /// The clients' ends that copies of a connection have which `map` takes, or had until it was over; none where
    /// it is not mirrored.
    pub fn ends(&self, map: &MapSpec, client: SocketAddr) -> Vec<SocketAddr> {
        let selection = &self.selection;
        let of_client =
            selection.by_client == 0 || takes_client(selection, self.clients.find(client));
        let mirrored = selection.dry_run == 0
            && of_client
            && in_sample(selection, &address(client.ip()), client.port(), map.local_port);
        if mirrored { multiply::ends(selection, client) } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(included: &[&str], excluded: &[&str], sample: &str, dry_run: bool) -> Chosen {
        let parse =
            |all: &[&str]| -> Vec<_> { all.iter().map(|one| one.parse().unwrap()).collect() };
        let clients = Clients::new(&parse(included), &parse(excluded)).unwrap();
        Chosen::new(clients, sample.parse().unwrap(), None, dry_run, None).unwrap()
    }

    fn mirrors(chosen: &Chosen, client: &str) -> bool {
        !chosen.ends(&"11211=10.0.0.5:11211".parse().unwrap(), client.parse().unwrap()).is_empty()
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
    fn a_sample_is_kept_by_the_next_choice() {
        let clients = || (1..5000).map(|port| format!("10.0.0.1:{port}"));
        let old = chosen(&[], &[], "20%", false);
        let more = Sample::ALL.0 / 2;
        let new = Chosen::new(Clients::default(), Sample(more), None, false, Some(&old)).unwrap();
        let other = chosen(&[], &[], "50%", false);
        let of = |one: &Chosen| clients().filter(|client| mirrors(one, client)).collect::<Vec<_>>();
        let (before, after) = (of(&old), of(&new));
        assert!(before.iter().all(|client| after.contains(client)));
        assert!((800..1200).contains(&before.len()), "{}", before.len());
        assert!((2200..2800).contains(&after.len()), "{}", after.len());
        assert_ne!(after, of(&other), "another attachment's seed");
    }
}
