//! Two equal routes from the new host to the client (ECMP), and memcached's address on `lo`, as where a routing daemon
//! announces it by both cards.
//!
//! ```text
//!            10.77.0.0/24, fd77::/64
//!   client ────┬─────── eth0 ┐                     each connection's replies take one of the two,
//!              │             │ new: lo 10.79.0.N   chosen by a hash of addresses and ports
//!              └─────── eth1 ┘
//!            10.78.0.0/24, fd78::/64
//! ```
//!
//! Copies arrive at `eth0`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{Family, mirror::Mirror, second};

/// Sets up the routes; returns memcached's addresses.
pub fn before_client(mirror: &mut Mirror) -> [IpAddr; 2] {
    second::card(&mut mirror.lab, &mirror.new, "eth1");
    second::join(&mirror.client);
    let (old, new, client) = (&mirror.old, &mirror.new, &mirror.client);
    for protocol in ["ipv4", "ipv6"] {
        // By ports, too, or one client's packets all take the same way.
        new.shell(&format!("echo 1 >/proc/sys/net/{protocol}/fib_multipath_hash_policy"));
    }
    Family::BOTH.map(|family| {
        let target = match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::new(10, 79, 0, new.number)),
            Family::V6 => IpAddr::V6(Ipv6Addr::new(0xfd79, 0, 0, 0, 0, 0, 0, new.number.into())),
        };
        let own = target.to_string();
        new.ip(&["addr", "add", &own, "dev", "lo"]);
        old.ip(&["route", "add", &own, "via", &new.address(family).to_string()]);
        let first = client.address(family).to_string();
        let other = second::address_by(client, family).to_string();
        let hops = [(&first, "eth0"), (&other, "eth1")];
        let hops = hops.map(|(hop, card)| ["nexthop", "via", hop, "dev", card]).concat();
        new.ip(&[&["route", "add", &first][..], &hops].concat());
        target
    })
}
