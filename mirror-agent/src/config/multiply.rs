//! How often each connection is copied to each target, and by whose addresses: `--multiply`.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, bail};
use mirror_common::{
    abi::{MAX_COPIES, Selection},
    source::extra_copy,
};

use crate::{
    config::{clients::Cidr, mapping::MapSpec},
    net::address::{address, ip},
};

/// Packets that one packet of a client's may become: more would keep a processor from production for too long.
const MAX_CLONES: usize = 64;

/// What was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multiply {
    /// How often; 1 is a mirror.
    pub count: u32,
    /// Addresses that extra copies are from, one pool for each family at most.
    pub pools: Vec<Cidr>,
}

impl Default for Multiply {
    fn default() -> Self {
        Self { count: 1, pools: Vec::new() }
    }
}

impl Multiply {
    /// Of what was typed.
    ///
    /// # Errors
    ///
    /// Where pools are too small or too large, or there are two for one family.
    pub fn new(count: u32, pools: &[Cidr]) -> Result<Self> {
        let mut pools = pools.to_vec();
        pools.sort_unstable();
        for pool in &pools {
            let (least, most) = if pool.network().is_ipv4() { (8, 30) } else { (96, 126) };
            if !(least..=most).contains(&pool.length()) {
                bail!("--multiply-from {pool}: a pool's length is from /{least} to /{most}");
            }
        }
        if pools.windows(2).any(|two| two[0].network().is_ipv4() == two[1].network().is_ipv4()) {
            bail!("--multiply-from: one pool for IPv4 and one for IPv6 is all that can be used");
        }
        if count == 1 && !pools.is_empty() {
            bail!("--multiply-from has no meaning without --multiply");
        }
        Ok(Self { count, pools })
    }

    /// What the kernel goes by.
    pub fn from_kernel(selection: &Selection) -> Self {
        let pool = |base, mask: u32, bits| {
            (mask != 0).then(|| Cidr::new(ip(base), bits - mask.count_ones()))
        };
        let v4 = pool(&selection.pool_v4, selection.pool_v4_mask, 32);
        let v6 = pool(&selection.pool_v6, selection.pool_v6_mask, 128);
        Self { count: selection.copies.max(1), pools: v4.into_iter().chain(v6).collect() }
    }

    /// Has the kernel go by this.
    pub fn to_kernel(&self, selection: &mut Selection) {
        selection.copies = self.count;
        (selection.pool_v4, selection.pool_v4_mask) = ([0; 4], 0);
        (selection.pool_v6, selection.pool_v6_mask) = ([0; 4], 0);
        for pool in &self.pools {
            let base = address(pool.network());
            let mask = |bits: u32| u32::MAX >> (32 - (bits - pool.length()));
            match pool.network() {
                IpAddr::V4(_) => (selection.pool_v4, selection.pool_v4_mask) = (base, mask(32)),
                IpAddr::V6(_) => (selection.pool_v6, selection.pool_v6_mask) = (base, mask(128)),
            }
        }
    }

    /// Refuses what would make too much of one packet.
    ///
    /// # Errors
    ///
    /// Where copies, times, and targets of a port multiply to more than 64.
    pub fn check(&self, maps: &[MapSpec], redundancy: u32) -> Result<()> {
        let targets = |map: &MapSpec| {
            let same = |other: &&MapSpec| {
                other.local_port == map.local_port && other.target.is_ipv4() == map.target.is_ipv4()
            };
            maps.iter().filter(same).count()
        };
        let most = maps.iter().map(targets).max().unwrap_or(0);
        let clones = most * (self.count * redundancy) as usize;
        if clones > MAX_CLONES {
            bail!(
                "{} copies, {redundancy} times each, to {most} targets of one port are {clones} \
                 packets for each that a client sends; {MAX_CLONES} are the most",
                self.count
            );
        }
        Ok(())
    }
}

/// The ends of a client's connection as a target sees its copies, the client's own first.
pub fn endpoints(selection: &Selection, client: SocketAddr) -> Vec<SocketAddr> {
    let family = if client.is_ipv4() { 4 } else { 6 };
    let (addr, port) = (address(client.ip()), client.port().to_be());
    (0..selection.copies.clamp(1, MAX_COPIES))
        .map(|copy| extra_copy::of(selection, family, &addr, port, copy))
        .filter(|(_, port)| *port != 0)
        .map(|(addr, port)| SocketAddr::new(ip(&addr), u16::from_be(port)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copies(count: u32, pools: &[&str]) -> Result<Multiply> {
        let pools: Vec<Cidr> = pools.iter().map(|pool| pool.parse().unwrap()).collect();
        Multiply::new(count, &pools)
    }

    #[test]
    fn what_is_chosen_comes_back_from_the_kernel() {
        for pools in [&[][..], &["198.18.0.0/15"], &["198.18.0.0/15", "fd00::/96"]] {
            let mut selection = Selection::default();
            let chosen = copies(3, pools).unwrap();
            chosen.to_kernel(&mut selection);
            assert_eq!(Multiply::from_kernel(&selection), chosen);
        }
        assert_eq!(Multiply::from_kernel(&Selection::default()), Multiply::default());
    }

    #[test]
    fn ends_of_a_connection() {
        let mut selection = Selection::default();
        let client: SocketAddr = "10.0.0.9:40000".parse().unwrap();
        assert_eq!(endpoints(&selection, client), [client]);
        copies(3, &[]).unwrap().to_kernel(&mut selection);
        let texts = |endpoints: Vec<SocketAddr>| {
            endpoints.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            texts(endpoints(&selection, client)),
            ["10.0.0.9:40000", "10.0.0.9:7232", "10.0.0.9:3136"]
        );
        copies(3, &["198.18.0.0/15"]).unwrap().to_kernel(&mut selection);
        assert_eq!(
            texts(endpoints(&selection, client)),
            ["10.0.0.9:40000", "198.18.0.145:40000", "198.18.0.146:40000"]
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (count, pools, mentions) in [
            (2, &["10.0.0.0/31"][..], "/30"),
            (2, &["fd00::/64"], "/96"),
            (2, &["10.0.0.0/24", "10.1.0.0/24"], "one pool"),
            (1, &["10.0.0.0/24"], "without --multiply"),
        ] {
            let said = copies(count, pools).unwrap_err().to_string();
            assert!(said.contains(mentions), "{said}");
        }
        let maps =
            ["1=10.0.0.5:1", "1=10.0.0.6:1", "1=[fd00::5]:1"].map(|map| map.parse().unwrap());
        assert!(copies(16, &[]).unwrap().check(&maps, 2).is_ok());
        assert!(copies(16, &[]).unwrap().check(&maps, 3).is_err());
    }
}
