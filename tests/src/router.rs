//! A router between the switch and the new host, which tells senders of what it cannot hand on.
//!
//! ```text
//!   client ──┬── eth0 ┌────────┐ eth1 ────── new        near: br0        far: br1, one cable
//!   old ─────┘        │ router │
//!                     └────────┘
//! ```
//!
//! All addresses stay as they are: the others have routes by the router.

use crate::{Family, Host, mirror::Mirror, second};

/// The router. Gone with its namespace.
#[derive(Debug)]
pub struct Router {
    /// Its host.
    pub host: Host,
}

impl Router {
    /// Puts it before the new host.
    pub fn before_new(mirror: &mut Mirror) -> Self {
        let host = mirror.lab.host("router");
        let far = second::card(&mut mirror.lab, &host, "eth1");
        let switch = mirror.lab.switch();
        switch.ip(&["link", "add", "br1", "type", "bridge"]);
        switch.ip(&["link", "set", "br1", "up"]);
        for port in ["new", &format!("eth1-{}", host.number)] {
            switch.ip(&["link", "set", "dev", port, "master", "br1"]);
        }
        host.shell("echo 1 >/proc/sys/net/ipv4/ip_forward");
        host.shell("echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
        let (new, v6) = (&mirror.new, second::address_by(&host, Family::V6));
        second::join(new);
        for (own, length, gateway, near) in
            [(new.v4(), "/24", far, host.v4()), (new.v6(), "/64", v6, host.v6())]
        {
            let own_text = own.to_string();
            // The new host's own network is no longer on its cable.
            new.ip(&["addr", "del", &format!("{own}{length}"), "dev", "eth0"]);
            new.ip(&["addr", "add", &own_text, "dev", "eth0"]);
            new.ip(&["route", "add", "default", "via", &gateway.to_string()]);
            host.ip(&["route", "add", &own_text, "dev", "eth1"]);
            for sender in [&mirror.client, &mirror.old] {
                sender.ip(&["route", "add", &own_text, "via", &near.to_string()]);
            }
        }
        Self { host }
    }

    /// Gives its two ends, and what they are connected to, these MTUs.
    pub fn set_mtu(&self, mirror: &Mirror, near: u16, far: u16) {
        let [near, far] = [near, far].map(|mtu| mtu.to_string());
        let (switch, end) = (mirror.lab.switch(), format!("eth1-{}", self.host.number));
        let ports = [
            (&self.host, "eth0", &near),
            (switch, "router", &near),
            (&self.host, "eth1", &far),
            (switch, &end, &far),
            (switch, "new", &far),
            (&mirror.new, "eth0", &far),
        ];
        for (host, interface, mtu) in ports {
            host.ip(&["link", "set", "dev", interface, "mtu", mtu]);
        }
    }

    /// From now on, it sends no ICMP errors, and drops without a word.
    pub fn be_silent(&self) {
        self.host.nft(
            "table inet silence {
                chain leaving {
                    type filter hook output priority filter;
                    icmp type { destination-unreachable, time-exceeded } drop;
                    icmpv6 type { destination-unreachable, packet-too-big, time-exceeded } drop;
                }
            }",
        );
    }
}
