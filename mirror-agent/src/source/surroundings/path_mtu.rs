//! Paths to targets that take less than the interface of clients: what is larger there is cut, or is not copied.

use std::{collections::BTreeMap, net::IpAddr};

/// What to say where `interface` takes packets of `mtu` bytes, and paths to targets so many; `udp` is whether memcached
/// takes datagrams.
pub(super) fn note(
    interface: &str,
    mtu: u32,
    paths: &BTreeMap<IpAddr, u32>,
    udp: bool,
) -> Option<String> {
    let least = paths.values().copied().min().filter(|least| *least < mtu)?;
    let smaller: Vec<String> = paths
        .iter()
        .filter(|(_, path)| **path < mtu)
        .map(|(target, path)| format!("{target} takes {path}"))
        .collect();
    let datagrams = if udp {
        format!("; UDP requests of more than {least} bytes are not copied (`unsent_too_large`)")
    } else {
        String::new()
    };
    Some(format!(
        "the path to {} bytes, {interface} takes {mtu}: segments that are larger than the path are cut in several copies, \
         which costs this host's processors more{datagrams}",
        smaller.join(" bytes, to "),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_smaller_paths_are_named() {
        let path = |target: &str, mtu| (target.parse().unwrap(), mtu);
        let paths =
            BTreeMap::from([path("10.0.0.5", 1400), path("10.0.0.6", 9000), path("fd00::5", 1500)]);
        let said = note("eth0", 9000, &paths, false).unwrap();
        assert!(
            said.starts_with(
                "the path to 10.0.0.5 takes 1400 bytes, to fd00::5 takes 1500 bytes, eth0 takes 9000: "
            ),
            "{said}"
        );
        assert!(!said.contains("UDP"), "{said}");
        let said = note("eth0", 1500, &paths, true).unwrap();
        assert!(said.contains("10.0.0.5 takes 1400") && !said.contains("fd00::5"), "{said}");
        assert!(said.contains("UDP requests of more than 1400 bytes"), "{said}");
        assert_eq!(note("eth0", 1400, &paths, true), None);
        assert_eq!(note("eth0", 9000, &BTreeMap::new(), true), None);
    }
}
