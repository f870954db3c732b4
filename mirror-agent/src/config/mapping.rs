//! The syntax and meaning of `--map [LOCALADDR:]PORTS=ADDR[:PORTS]`.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use anyhow::{Result, bail};
use mirror_common::abi::{MAX_FAN_OUT, MAX_MAPPINGS, Mapping};

use crate::{
    config::ports::PortRange,
    net::address::{address, ip},
};

/// One map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MapSpec {
    /// The local address it is limited to.
    pub local_addr: Option<IpAddr>,
    /// The local port.
    pub local_port: u16,
    /// Where copies go.
    pub target: SocketAddr,
}

/// One `--map` as it is typed: a map for each of its ports.
///
/// ```
/// use mirror_agent::config::mapping::MapSpecs;
///
/// let maps: MapSpecs = "11211-11213=10.0.0.5".parse()?;
/// assert_eq!(maps.0.len(), 3);
/// assert_eq!(maps.0[2].to_string(), "11213=10.0.0.5:11213");
/// # Ok::<(), String>(())
/// ```
///
/// `[LOCALADDR:]PORTS=ADDR[:PORTS]`, where `PORTS` is a port or a range, and before `=` also a list of these. Without
/// ports, the target's are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapSpecs(pub Vec<MapSpec>);

impl FromStr for MapSpecs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (local, target) = text.split_once('=').ok_or(
            "expected [LOCALADDR:]PORT=ADDR:PORT, like 11211=10.0.0.5:11211 or 11211-11220=10.0.0.5",
        )?;
        let (local_addr, local_ports) = local_side(local)?;
        let (target, target_ports) = target_side(target)?;
        if target.is_unspecified() || target.is_multicast() || target.is_loopback() {
            return Err(format!("{target} is not the address of another host"));
        }
        if local_addr.is_some_and(|local| local.is_ipv4() != target.is_ipv4()) {
            return Err("local address and target are of different families".to_owned());
        }
        let target_ports = match target_ports {
            None => local_ports.clone(),
            Some(range) => range.ports().collect(),
        };
        if local_ports.len() != target_ports.len() {
            return Err(format!(
                "{} local ports cannot be mapped to {} ports of the target",
                local_ports.len(),
                target_ports.len()
            ));
        }
        let pairs = local_ports.into_iter().zip(target_ports);
        Ok(Self(
            pairs
                .map(|(local_port, port)| MapSpec {
                    local_addr,
                    local_port,
                    target: SocketAddr::new(target, port),
                })
                .collect(),
        ))
    }
}

/// What is before `=`: `[LOCALADDR:]PORT[-PORT][,...]`.
fn local_side(text: &str) -> Result<(Option<IpAddr>, Vec<u16>), String> {
    let (addr, ports) = match text.rsplit_once(':') {
        None => (None, text),
        Some((addr, ports)) => {
            let known = bare(addr).filter(|ip| ip.is_ipv4() || addr.starts_with('['));
            let wrong = || format!("'{text}' is neither PORT nor LOCALADDR:PORT");
            (Some(known.ok_or_else(wrong)?), ports)
        }
    };
    let ranges: Vec<PortRange> = ports.split(',').map(str::parse).collect::<Result<_, _>>()?;
    let all: Vec<u16> = ranges.iter().flat_map(|range| range.ports()).collect();
    Ok((addr, all))
}

/// What is behind it: `ADDR[:PORT[-PORT]]`.
fn target_side(text: &str) -> Result<(IpAddr, Option<PortRange>), String> {
    let wrong = || {
        format!(
            "'{text}' is not ADDR[:PORT]; names are not looked up, IPv6 with a port goes in brackets"
        )
    };
    if let Some(ip) = bare(text) {
        return Ok((ip, None));
    }
    let (addr, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let ip = bare(addr).filter(|ip| ip.is_ipv4() || addr.starts_with('[')).ok_or_else(wrong)?;
    Ok((ip, Some(port.parse()?)))
}

/// An address, in brackets or not.
fn bare(text: &str) -> Option<IpAddr> {
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

/// One map alone, as [`MapSpec`] is shown.
impl FromStr for MapSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<MapSpecs>()?.0[..] {
            [map] => Ok(map),
            _ => Err(format!("{text} is more than one map")),
        }
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
    /// The entry for the kernel; the route to the target takes the interface `out_ifindex`, and packets up to `route_mtu`
    /// bytes, or whatever the interface does if it is 0.
    pub fn to_kernel(self, out_ifindex: u32, route_mtu: u32) -> Mapping {
        Mapping {
            local_addr: self.local_addr.map_or([0; 4], address),
            target_addr: address(self.target.ip()),
            local_port: self.local_port.to_be(),
            target_port: self.target.port().to_be(),
            out_ifindex,
            family: if self.target.is_ipv4() { 4 } else { 6 },
            pad: [0; 3],
            route_mtu,
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
            assert_eq!(MapSpec::from_kernel(&map.to_kernel(3, 1400)), Some(map));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in [
            "",
            "11211",
            "11211=",
            "11211=10.0.0.5:",
            "1-2=10.0.0.5:1",
            "1=10.0.0.5:1-2",
            "1,=10.0.0.5",
            "fd00::1:1=[fd00::5]:1",
            "1=fd00::5:1x",
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
    fn ranges_and_lists_stand_for_a_map_each() {
        let maps = |text: &str| {
            let maps = text.parse::<MapSpecs>().unwrap().0;
            maps.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        for text in ["1-2=10.0.0.5", "1,2=10.0.0.5", "1-2=10.0.0.5:1-2"] {
            assert_eq!(maps(text), ["1=10.0.0.5:1", "2=10.0.0.5:2"], "{text}");
        }
        assert_eq!(maps("1-2=10.0.0.5:7-8"), ["1=10.0.0.5:7", "2=10.0.0.5:8"]);
        assert_eq!(maps("1,3=10.0.0.5:7-8"), ["1=10.0.0.5:7", "3=10.0.0.5:8"]);
        assert_eq!(maps("10.0.0.1:1-2=10.0.0.5").len(), 2);
        for text in ["1=fd00::5", "1=[fd00::5]", "1=[fd00::5]:1"] {
            assert_eq!(maps(text), ["1=[fd00::5]:1"], "{text}");
        }
        assert!("1-2=10.0.0.5".parse::<MapSpec>().is_err());
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
