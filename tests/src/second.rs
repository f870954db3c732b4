//! A second network on the same switch, and cards in it.
//!
//! ```text
//!            10.77.0.0/24, fd77::/64  what every host has at eth0
//!   client ─────┬────── eth0 ┐
//!               │            │ host      number: the same in both networks
//!               └────── eth1 ┘
//!            10.78.0.0/24, fd78::/64  `card`: at a card of its own; `join`: at eth0, too
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{Family, Host, Lab};

/// A host's IPv4 address in the second network.
pub fn address(host: &Host) -> IpAddr {
    address_by(host, Family::V4)
}

/// A host's address of this family in the second network.
pub fn address_by(host: &Host, family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::new(10, 78, 0, host.number)),
        Family::V6 => IpAddr::V6(Ipv6Addr::new(0xfd78, 0, 0, 0, 0, 0, 0, host.number.into())),
    }
}

/// Gives a host a second card, with its addresses in the second network; returns the IPv4 address.
pub fn card(lab: &mut Lab, host: &Host, name: &str) -> IpAddr {
    lab.second_interface(host, name);
    // Or its ARP requests at one card tell others that the other's address is there.
    host.shell("echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce");
    add(host, name)
}

/// Gives a host's `eth0` its addresses in the second network, too; returns the IPv4 address.
pub fn join(host: &Host) -> IpAddr {
    add(host, "eth0")
}

fn add(host: &Host, interface: &str) -> IpAddr {
    assign(host, interface);
    address(host)
}

/// Gives one of a host's interfaces its addresses in the second network.
pub fn assign(host: &Host, interface: &str) {
    let [v4, v6] = Family::BOTH.map(|family| address_by(host, family));
    host.ip(&["addr", "add", &format!("{v4}/24"), "dev", interface]);
    host.ip(&["addr", "add", &format!("{v6}/64"), "dev", interface, "nodad"]);
}
