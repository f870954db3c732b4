//! memcached in containers, each behind a host of its own that forwards, as container engines set it up.
//!
//! ```text
//!              ┌─ host, which forwards ────────────────────┐    ┌─ inside: a container ─┐
//!   client ─┬─ eth0 10.77.0.N   netfilter   cni0 10.80.N.1 ──── eth0 10.80.N.2  memcached   old
//!           └─ eth0 10.77.0.M   netfilter   cni0 10.80.M.1 ──── eth0 10.80.M.2  memcached   new
//! ```
//!
//! memcached's port of a host is the container's (DNAT); what a container sends to others leaves as the host's
//! (masquerade). Each host has a route to the other's container.

use std::net::{IpAddr, Ipv4Addr};

use crate::{Host, Lab, client::Connection, memcached::Memcached, mirror::PORT};

/// Last numbers of addresses in the network of a host's containers: the bridge's, the container's, its neighbour's.
const GATEWAY: u8 = 1;
const INSIDE: u8 = 2;
const BESIDE: u8 = 3;

/// A client, and two hosts with a container each. Nothing is attached.
#[derive(Debug)]
pub struct Containers {
    /// Production's container.
    pub old: Container,
    /// The one that is to become warm.
    pub new: Container,
    /// Where clients are.
    pub client: Host,
    /// The switch between them.
    pub lab: Lab,
}

/// A container with a memcached, and its host.
#[derive(Debug)]
pub struct Container {
    /// The server.
    pub server: Memcached,
    /// The container's namespace.
    pub inside: Host,
    /// The host that forwards.
    pub host: Host,
}

impl Containers {
    /// Both servers run, and no host filters anything.
    pub fn idle() -> Self {
        let mut lab = Lab::new();
        let client = lab.host("client");
        let (old, new) = (Container::start(&mut lab, "old"), Container::start(&mut lab, "new"));
        for (from, to) in [(&old, &new), (&new, &old)] {
            let next_hop = to.host.v4().to_string();
            from.host.ip(&["route", "add", &to.network(), "via", &next_hop]);
        }
        Self { old, new, client, lab }
    }

    /// A client's connection to the old host's port.
    pub fn connect(&self) -> Connection {
        Connection::open(&self.client, self.old.host.v4(), PORT)
    }

    /// Exempts copies on their way to the new container from connection tracking, on both hosts.
    pub fn leave_copies_untracked(&self) {
        self.old.leave_copies_untracked(self.new.address());
        self.new.leave_copies_untracked(self.new.address());
    }

    /// Both hosts do not forward what connection tracking calls invalid.
    pub fn refuse_invalid(&self) {
        self.old.refuse_invalid();
        self.new.refuse_invalid();
    }
}

impl Container {
    fn start(lab: &mut Lab, name: &str) -> Self {
        let host = lab.host(name);
        host.ip(&["link", "add", "cni0", "type", "bridge"]);
        host.ip(&["link", "set", "cni0", "up"]);
        let gateway = address(&host, GATEWAY);
        host.ip(&["addr", "add", &format!("{gateway}/24"), "dev", "cni0"]);
        let inside = connect(lab, &host, "inside", INSIDE);
        let server = Memcached::start(&inside, PORT);
        let container = Self { server, inside, host };
        container.forward();
        container
    }

    /// The container's own address.
    pub fn address(&self) -> IpAddr {
        address(&self.host, INSIDE)
    }

    /// Another container of the same host, on the same bridge, and its address.
    pub fn neighbour(&self, lab: &mut Lab) -> (Host, IpAddr) {
        let inside = connect(lab, &self.host, "beside", BESIDE);
        (inside, address(&self.host, BESIDE))
    }

    /// Whether netfilter sees what the bridge hands on from one container to the other (`br_netfilter`).
    pub fn filter_bridged(&self, on: bool) {
        let switch = "/proc/sys/net/bridge/bridge-nf-call-iptables";
        // A module of most kernels, which nothing loads by itself.
        let line =
            format!("[ -e {switch} ] || modprobe br_netfilter; echo {} >{switch}", u8::from(on));
        self.host.shell(&line);
    }

    /// The host does not forward what connection tracking calls invalid.
    pub fn refuse_invalid(&self) {
        self.host.nft(
            "table ip stateful {
                chain forwarded {
                    type filter hook forward priority filter;
                    ct state invalid drop;
                }
            }",
        );
    }

    /// Exempts copies on their way to the container with this address from connection tracking. Clients' own resets
    /// are tracked as before: they are sent to a host's address.
    pub fn leave_copies_untracked(&self, target: IpAddr) {
        self.host.nft(&format!(
            "table ip untracked {{
                chain arriving {{
                    type filter hook prerouting priority raw;
                    ip daddr {target} tcp dport {PORT} tcp flags & rst == rst notrack;
                }}
            }}"
        ));
    }

    /// What the host does with packets whose way back is another interface than they came by (`rp_filter`):
    /// 0 forwards them, 1 drops them, and 2 drops those that have no way back.
    pub fn reverse_path(&self, filter: u8) {
        // Of the two, the larger counts.
        self.host.shell("for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$file; done");
        self.host.shell(&format!("echo {filter} >/proc/sys/net/ipv4/conf/all/rp_filter"));
    }

    fn network(&self) -> String {
        format!("10.80.{}.0/24", self.host.number)
    }

    /// Has the host forward: its port to the container, and what the container sends to others.
    fn forward(&self) {
        let (host, container, network) = (self.host.v4(), self.address(), self.network());
        self.host.shell("echo 1 >/proc/sys/net/ipv4/ip_forward");
        self.reverse_path(0);
        self.host.nft(&format!(
            "table ip containers {{
                chain arriving {{
                    type nat hook prerouting priority dstnat;
                    ip daddr {host} tcp dport {PORT} dnat to {container}:{PORT};
                }}
                chain leaving {{
                    type nat hook postrouting priority srcnat;
                    ip saddr {network} oifname eth0 masquerade;
                }}
            }}"
        ));
    }
}

/// A new container of `host`, at its bridge.
fn connect(lab: &mut Lab, host: &Host, name: &str, last: u8) -> Host {
    let inside = lab.unconnected(&format!("{name}-{}", host.number));
    let link = ["type", "veth", "peer", "name", name, "netns", &host.namespace];
    inside.ip(&[&["link", "add", "eth0"][..], &link].concat());
    host.ip(&["link", "set", "dev", name, "master", "cni0", "up"]);
    inside.ip(&["addr", "add", &format!("{}/24", address(host, last)), "dev", "eth0"]);
    inside.ip(&["link", "set", "eth0", "up"]);
    inside.ip(&["route", "add", "default", "via", &address(host, GATEWAY).to_string()]);
    inside
}

/// An address in the network of a host's containers.
fn address(host: &Host, last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 80, host.number, last))
}
