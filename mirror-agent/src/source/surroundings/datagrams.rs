//! UDP requests that reach the interface, and that this host's firewall drops behind it: no socket tells whether
//! production took a datagram.

use std::collections::BTreeSet;

use crate::config::ports::PortRange;

/// What to say where memcached has UDP sockets at `udp`; `chosen` is whether --client names whom to mirror.
pub(super) fn note(
    interface: &str,
    ports: &BTreeSet<u16>,
    udp: &BTreeSet<u16>,
    chosen: bool,
) -> Option<String> {
    let both: Vec<u16> = ports.intersection(udp).copied().collect();
    (!chosen && !both.is_empty()).then(|| {
        format!(
            "UDP requests to port {} are mirrored from any address that reaches {interface}, also those that this \
             host's firewall drops; name those that may send: --client CIDR",
            PortRange::join(&both)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_memcached_takes_udp_from_anybody() {
        let (ports, udp) = (BTreeSet::from([11211, 11212]), BTreeSet::from([53, 11211]));
        let said = note("eth0", &ports, &udp, false).unwrap();
        assert!(said.contains("port 11211 ") && said.contains("--client"), "{said}");
        assert_eq!(note("eth0", &ports, &udp, true), None);
        assert_eq!(note("eth0", &ports, &BTreeSet::from([53]), false), None);
    }
}
