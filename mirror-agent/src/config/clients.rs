//! Whose packets a source copies: the prefixes of `--client` and `--exclude-client`.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use anyhow::{Result, bail};
use mirror_common::{
    abi::{ClientKey, EXCLUDED, INCLUDED, MAX_PREFIXES},
    source::select::{self, Prefix},
};

use crate::net::address::{address, ip};

/// Bits of a kernel's prefix before the address; an IPv4 address is the end of an IPv6 one.
const BEFORE_V4: u32 = 32 + 96;
const BEFORE_V6: u32 = 32;

/// One prefix, as typed: `10.0.0.0/8`, `fd00::/8`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cidr {
    network: IpAddr,
    length: u32,
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "'{text}' is neither ADDR nor ADDR/LENGTH, like 10.0.0.0/8 or fd00::/8; names are not looked up"
            )
        };
        let (network, length) = match text.split_once('/') {
            None => (text, None),
            Some((network, length)) => (network, Some(length)),
        };
        let network: IpAddr = network.parse().map_err(|_| wrong())?;
        let longest = if network.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => longest,
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                digits.parse().map_err(|_| wrong())?
            }
            Some(_) => return Err(wrong()),
        };
        if length > longest {
            return Err(format!("{text}: {network} has {longest} bits"));
        }
        if matches!(network, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()) {
            return Err(format!("{text}: write {} as IPv4", network.to_canonical()));
        }
        let begins = begin(network, length);
        if begins != network {
            return Err(format!("{text} has bits behind its length; {begins}/{length} has none"));
        }
        Ok(Self { network, length })
    }
}

/// The first `length` bits of an address, with zeros behind them.
fn begin(address: IpAddr, length: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(32 - length).unwrap_or(0)).into())
        }
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(
            v6.to_bits() & u128::MAX.checked_shl(128 - length).unwrap_or(0),
        )),
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.length)
    }
}

impl Cidr {
    /// The network `network`, which has nothing behind its first `length` bits.
    pub(crate) const fn new(network: IpAddr, length: u32) -> Self {
        Self { network, length }
    }

    /// The first of its addresses.
    pub const fn network(&self) -> IpAddr {
        self.network
    }

    /// How many bits all of its addresses share.
    pub const fn length(&self) -> u32 {
        self.length
    }

    fn to_kernel(self) -> Prefix {
        let before = if self.network.is_ipv4() { BEFORE_V4 } else { BEFORE_V6 };
        Prefix { bits: before + self.length, key: key(self.network) }
    }

    fn from_kernel(prefix: &Prefix) -> Self {
        let before = if prefix.key.family == 4 { BEFORE_V4 } else { BEFORE_V6 };
        Self { network: ip(&prefix.key.addr), length: prefix.bits.saturating_sub(before) }
    }
}

fn key(address_of_client: IpAddr) -> ClientKey {
    let family = if address_of_client.is_ipv4() { 4 } else { 6 };
    ClientKey { family, addr: address(address_of_client) }
}

/// The prefixes of one source, and what the kernel's table says of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clients(BTreeMap<Prefix, u32>);

impl Clients {
    /// Refuses a prefix that is wanted and excluded, and more than fit.
    pub fn new(included: &[Cidr], excluded: &[Cidr]) -> Result<Self> {
        let mut prefixes = BTreeMap::new();
        for (all, verdict) in [(included, INCLUDED), (excluded, EXCLUDED)] {
            for cidr in all {
                let known = prefixes.insert(cidr.to_kernel(), verdict);
                if known.is_some_and(|known| known != verdict) {
                    bail!("{cidr} is given to --client and to --exclude-client");
                }
            }
        }
        if prefixes.len() > MAX_PREFIXES as usize {
            bail!("{} prefixes of clients given, at most {MAX_PREFIXES} fit", prefixes.len());
        }
        Ok(Self(prefixes))
    }

    /// Whether there are none, so that all clients are wanted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that are wanted, in order.
    pub fn included(&self) -> Vec<Cidr> {
        self.with(INCLUDED)
    }

    /// Those that are not, in order.
    pub fn excluded(&self) -> Vec<Cidr> {
        self.with(EXCLUDED)
    }

    fn with(&self, verdict: u32) -> Vec<Cidr> {
        let found = self.0.iter().filter(|(_, own)| **own == verdict);
        let mut cidrs: Vec<Cidr> = found.map(|(prefix, _)| Cidr::from_kernel(prefix)).collect();
        cidrs.sort_unstable();
        cidrs
    }

    /// What the kernel finds for a client.
    pub fn find(&self, client: SocketAddr) -> Option<u32> {
        select::longest(&self.0, &key(client.ip().to_canonical()))
    }

    /// What the kernel's table says of each prefix.
    pub(crate) fn prefixes(&self) -> &BTreeMap<Prefix, u32> {
        &self.0
    }

    /// Of what the kernel's table says.
    pub(crate) fn from_prefixes(prefixes: BTreeMap<Prefix, u32>) -> Self {
        Self(prefixes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_typed_comes_back() {
        for (text, whole) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("fd00::/8", "fd00::/8"),
            ("::/0", "::/0"),
            ("FD00::1", "fd00::1/128"),
        ] {
            assert_eq!(cidr(text).to_string(), whole);
            assert_eq!(Cidr::from_kernel(&cidr(text).to_kernel()), cidr(text));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, mentions) in [
            ("", "neither"),
            ("10.0.0.0/", "neither"),
            ("10.0.0.0/+8", "neither"),
            ("10.0.0/8", "neither"),
            ("client/8", "neither"),
            ("10.0.0.0/33", "32 bits"),
            ("fd00::/129", "128 bits"),
            ("10.0.0.1/8", "10.0.0.0/8 has none"),
            ("fd00::1/64", "fd00::/64 has none"),
            ("::ffff:10.0.0.1", "write 10.0.0.1 as IPv4"),
        ] {
            let said = text.parse::<Cidr>().unwrap_err();
            assert!(said.contains(mentions), "{text}: {said}");
        }
    }

    #[test]
    fn families_do_not_mix() {
        let clients = Clients::new(&[cidr("10.0.0.0/8")], &[cidr("::/0")]).unwrap();
        let find = |client: &str| clients.find(client.parse().unwrap());
        assert_eq!(find("10.1.2.3:1"), Some(INCLUDED));
        assert_eq!(find("[::ffff:10.1.2.3]:1"), Some(INCLUDED), "as sockets of IPv6 name it");
        assert_eq!(find("11.1.2.3:1"), None);
        assert_eq!(find("[fd00::1]:1"), Some(EXCLUDED));
    }

    #[test]
    fn a_prefix_is_wanted_or_not() {
        let (ten, eleven) = (cidr("10.0.0.0/8"), cidr("11.0.0.0/8"));
        let said = Clients::new(&[ten, eleven], &[ten]).unwrap_err().to_string();
        assert!(said.contains("10.0.0.0/8 is given to --client and to --exclude-client"), "{said}");
        let clients = Clients::new(&[ten, eleven, ten], &[cidr("10.0.0.0/9")]).unwrap();
        assert_eq!(clients.included(), [ten, eleven], "twice the same is once");
        assert_eq!(clients.excluded(), [cidr("10.0.0.0/9")]);
    }

    #[test]
    fn as_many_as_fit() {
        let all: Vec<Cidr> = (0..=MAX_PREFIXES)
            .map(|n| Cidr { network: IpAddr::V4((0x0a00_0000 + n).into()), length: 32 })
            .collect();
        assert!(Clients::new(&all[1..], &[]).is_ok());
        assert!(Clients::new(&all, &[]).unwrap_err().to_string().contains("16384"));
    }
}
