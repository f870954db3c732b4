//! The syntax and meaning of `--map [LOCALADDR:]PORT=ADDR:PORT`.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use anyhow::{Result, bail};
use mirror_common::abi::{MAX_FAN_OUT, MAX_MAPPINGS, Mapping};

use crate::net::address::{address, endpoint, ip};

/// One `--map`, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MapSpec {
    /// The local address it is limited to.
    pub local_addr: Option<IpAddr>,
    /// The local port.
    pub local_port: u16,
    /// Where copies go.
    pub target: SocketAddr,
}

impl FromStr for MapSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (local, target) = text
            .split_once('=')
            .ok_or("expected [LOCALADDR:]PORT=ADDR:PORT, like 11211=10.0.0.5:11211")?;
        let target = endpoint(target)?;
        let (local_addr, local_port) = match local.parse::<u16>() {
            Ok(port) => (None, port),
            Err(_) => {
                let local: SocketAddr = local
                    .parse()
                    .map_err(|_| format!("'{local}' is neither PORT nor LOCALADDR:PORT"))?;
                (Some(local.ip()), local.port())
            }
        };
        if local_port == 0 || target.port() == 0 {
            return Err("port 0 cannot be mapped".to_owned());
        }
        if target.ip().is_unspecified() || target.ip().is_multicast() || target.ip().is_loopback() {
            return Err(format!("{} is not the address of another host", target.ip()));
        }
        if local_addr.is_some_and(|local| local.is_ipv4() != target.is_ipv4()) {
            return Err("local address and target are of different families".to_owned());
        }
        Ok(Self { local_addr, local_port, target })
    }
}

impl fmt::Display for MapSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.local_addr {
            None => write!(f, "{}={}", self.local_port, self.target),
            Some(local) => write!(f, "{}={}", SocketAddr::new(local, self.local_port), self.target),
        }
    }
}

impl MapSpec {
    /// The entry for the kernel; `out_ifindex` is the interface that the route to the target takes.
    pub fn to_kernel(self, out_ifindex: u32) -> Mapping {
        Mapping {
            local_addr: self.local_addr.map_or([0; 4], address),
            target_addr: address(self.target.ip()),
            local_port: self.local_port.to_be(),
            target_port: self.target.port().to_be(),
            out_ifindex,
            family: if self.target.is_ipv4() { 4 } else { 6 },
            pad: [0; 7],
        }
    }

    /// What an entry of the kernel's says; `None` for an unused one.
    pub fn from_kernel(mapping: &Mapping) -> Option<Self> {
        if mapping.family == 0 {
            return None;
        }
        let any = mapping.local_addr == [0; 4];
        Some(Self {
            local_addr: (!any).then(|| ip(&mapping.local_addr)),
            local_port: u16::from_be(mapping.local_port),
            target: SocketAddr::new(ip(&mapping.target_addr), u16::from_be(mapping.target_port)),
        })
    }
}

/// Refuses sets of maps that contradict themselves or do not fit.
pub fn check(maps: &[MapSpec]) -> Result<()> {
    if maps.len() > MAX_MAPPINGS as usize {
        bail!("{} maps given, at most {MAX_MAPPINGS} fit an interface", maps.len());
    }
    for (position, map) in maps.iter().enumerate() {
        if maps[..position].contains(map) {
            bail!("map {map} is given twice");
        }
        let same_port = maps.iter().filter(|other| other.local_port == map.local_port).count();
        if same_port > MAX_FAN_OUT {
            bail!(
                "{same_port} maps given for port {}, at most {MAX_FAN_OUT} fit a port",
                map.local_port
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_comes_back() {
        for text in [
            "11211=10.0.0.5:11211",
            "10.0.0.1:11211=10.0.0.5:11212",
            "11211=[fd00::5]:11211",
            "[fd00::1]:1=[fd00::5]:2",
        ] {
            let map: MapSpec = text.parse().unwrap();
            assert_eq!(map.to_string(), text);
            assert_eq!(MapSpec::from_kernel(&map.to_kernel(3)), Some(map));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in [
            "",
            "11211",
            "11211=",
            "11211=10.0.0.5",
            "0=10.0.0.5:1",
            "1=10.0.0.5:0",
            "70000=10.0.0.5:1",
            "1=127.0.0.1:1",
            "1=0.0.0.0:1",
            "1=224.0.0.1:1",
            "10.0.0.1:1=[fd00::5]:1",
            "1=host:1",
        ] {
            assert!(text.parse::<MapSpec>().is_err(), "{text}");
        }
    }

    #[test]
    fn sets_are_checked() {
        let one: MapSpec = "1=10.0.0.5:1".parse().unwrap();
        assert!(check(&[one]).is_ok());
        assert!(check(&[one, one]).is_err());
        let many: Vec<MapSpec> =
            (1..=9).map(|n| format!("1=10.0.0.{n}:1").parse().unwrap()).collect();
        assert!(check(&many[..8]).is_ok());
        assert!(check(&many).is_err());
    }
}
