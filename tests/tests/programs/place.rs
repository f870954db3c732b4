//! A host of its own for a table, on whose wire nothing is but what the rows put there.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::Stdio,
};

use mirror_tests::{Host, Lab, host::Running, wire::Wire};

/// The host, and its wire.
pub(crate) struct Place {
    pub(crate) host: Host,
    /// The other end of the wire. What is sent to [`NEIGHBOUR`] arrives here.
    pub(crate) wire: Wire,
    _lab: Lab,
}

/// Link-layer address of [`target`], which says nothing by itself.
pub(crate) const NEIGHBOUR: [u8; 6] = [2, 0, 0, 0, 0, 3];

impl Place {
    pub(crate) fn new() -> Self {
        let mut lab = Lab::new();
        // The switch says nothing of its own, and is no more than the end of a wire.
        lab.switch().shell("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6");
        let host = lab.host("host");
        lab.switch().ip(&["link", "set", "dev", "host", "nomaster"]);
        // Nobody asks for routers, and groups are joined at once.
        host.ip(&["link", "set", "eth0", "down"]);
        host.shell(
            "cd /proc/sys/net/ipv6/conf/eth0
             echo 0 >router_solicitations
             echo 1 >mldv2_unsolicited_report_interval",
        );
        host.ip(&["link", "set", "eth0", "up"]);
        host.ip(&["addr", "add", &format!("{}/64", host.v6()), "dev", "eth0", "nodad"]);
        let wire = Wire::at(lab.switch(), "host", NEIGHBOUR);
        let place = Self { host, wire, _lab: lab };
        [v4(0), v6(0)].into_iter().for_each(|like| place.know(like));
        place
    }

    /// From now on, the host knows the target's link-layer address.
    pub(crate) fn know(&self, like: SocketAddr) {
        let mac = NEIGHBOUR.map(|byte| format!("{byte:02x}")).join(":");
        let address = target(like).to_string();
        let neighbour = ["neigh", "replace", &address, "lladdr", &mac, "nud", "permanent"];
        self.host.ip(&[&neighbour[..], &["dev", "eth0"]].concat());
    }

    /// Has the agent attach, with these arguments. With [`STAY`] among them it stays, and is returned.
    pub(crate) fn attach(&self, arguments: &str) -> Option<Running> {
        if arguments.contains(STAY) {
            let agent = self.host.agent_foreground_to(arguments, Stdio::null());
            self.host.wait_for_status("eth0");
            return Some(agent);
        }
        self.host.agent_ok(arguments);
        None
    }
}

/// Option by which the agent stays.
pub(crate) const STAY: &str = "--trace-packets";

/// Where copies are sent to: an address of the host's network.
pub(crate) fn target(like: SocketAddr) -> IpAddr {
    if like.is_ipv4() {
        IpAddr::V4(Ipv4Addr::new(10, 77, 0, 99))
    } else {
        IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 99))
    }
}

/// The client of each family that packets come from.
pub(crate) fn client(like: SocketAddr) -> SocketAddr {
    let address = if like.is_ipv4() {
        IpAddr::V4(Ipv4Addr::new(198, 51, 100, 9))
    } else {
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xc, 0, 0, 0, 0, 9))
    };
    SocketAddr::new(address, 40_000)
}

/// The server of IPv4 that packets go to. No host has the address: nobody answers.
pub(crate) fn v4(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

/// The same of IPv6.
pub(crate) fn v6(port: u16) -> SocketAddr {
    SocketAddr::from(([0x2001, 0xdb8, 5, 0, 0, 0, 0, 1], port))
}
