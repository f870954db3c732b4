//! A second network on the same switch, and cards in it.
//!
//! ```text
//!            10.77.0.0/24             what every host has at eth0
//!   client ─────┬────── eth0 ┐
//!               │            │ host      number: the same in both networks
//!               └────── eth1 ┘
//!            10.78.0.0/24             `card`: at a card of its own; `join`: at eth0, too
//! ```

use std::net::{IpAddr, Ipv4Addr};

use crate::{Host, Lab};

/// A host's address in the second network.
pub fn address(host: &Host) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 78, 0, host.number))
}

/// Gives a host a second card, with its address in the second network; returns that.
pub fn card(lab: &mut Lab, host: &Host, name: &str) -> IpAddr {
    lab.second_interface(host, name);
    // Or its ARP requests at one card tell others that the other's address is there.
    host.shell("echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce");
    add(host, name)
}

/// Gives a host's `eth0` its address in the second network, too; returns that.
pub fn join(host: &Host) -> IpAddr {
    add(host, "eth0")
}

fn add(host: &Host, interface: &str) -> IpAddr {
    let address = address(host);
    host.ip(&["addr", "add", &format!("{address}/24"), "dev", interface]);
    address
}
