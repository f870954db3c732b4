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

/// Sets up the routes of this family; returns memcached's address.
pub fn before_client(mirror: &mut Mirror, family: Family) -> IpAddr {
    second::card(&mut mirror.lab, &mirror.new, "eth1");
    second::join(&mirror.client);
    let (new, client) = (&mirror.new, &mirror.client);
    let target = match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::new(10, 79, 0, new.number)),
        Family::V6 => IpAddr::V6(Ipv6Addr::new(0xfd79, 0, 0, 0, 0, 0, 0, new.number.into())),
    };
    let target_text = target.to_string();
    new.ip(&["addr", "add", &target_text, "dev", "lo"]);
    mirror.old.ip(&["route", "add", &target_text, "via", &new.address(family).to_string()]);
    // By ports, too, or one client's packets all take the same way.
    new.shell("echo 1 >/proc/sys/net/ipv4/fib_multipath_hash_policy");
    new.shell("echo 1 >/proc/sys/net/ipv6/fib_multipath_hash_policy");
    let hops =
        [client.address(family), second::address_by(client, family)].map(|hop| hop.to_string());
    let [first, other] = &hops;
    let ways = ["nexthop", "via", first, "dev", "eth0", "nexthop", "via", other, "dev", "eth1"];
    new.ip(&[&["route", "add", first][..], &ways].concat());
    target
}
