//! The lab: clients, the switch and the old host on one CPU, the new hosts on another, so that what
//! production pays is told from what a second memcached costs.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use mirror_tests::{Host, Lab, memcached::Memcached, mirror::PORT};
use serde_json::Value;

use super::data::fill;

/// CPU of the clients, the switch and the old host.
pub(crate) const PRODUCTION: usize = 0;
/// CPU of the new hosts.
pub(crate) const NEW: usize = 1;
/// A port that is not mirrored.
pub(crate) const OTHER_PORT: u16 = 11300;
/// New hosts there are.
pub(crate) const TARGETS: usize = 3;
/// An address behind the black hole: an interface that loses what it is given.
pub(crate) const BLACK_HOLE: &str = "10.99.0.2";

/// Hosts and servers; no mirror yet.
pub(crate) struct Site {
    pub(crate) old_server: Memcached,
    pub(crate) new_servers: Vec<Memcached>,
    _others: [Memcached; 2],
    pub(crate) client: Host,
    pub(crate) old: Host,
    pub(crate) new: Vec<Host>,
    /// A host that never is a target.
    pub(crate) plain: Host,
    /// How many new hosts are targets.
    targets: AtomicUsize,
    pub(crate) lab: Lab,
}

impl Site {
    pub(crate) fn new() -> Self {
        let mut lab = Lab::new();
        let (client, old) = (lab.host("client"), lab.host("old"));
        let new: Vec<Host> = (1..=TARGETS).map(|n| lab.host(&format!("new{n}"))).collect();
        let plain = lab.host("plain");
        let old_server = Memcached::start(&old, PORT);
        let new_servers: Vec<_> = new.iter().map(|host| Memcached::start(host, PORT)).collect();
        let others = [Memcached::start(&old, OTHER_PORT), Memcached::start(&new[0], OTHER_PORT)];
        for (server, host) in [(&old_server, &old), (&others[0], &old)] {
            server.pin(host, PRODUCTION);
            fill(&mut server.inside(host));
        }
        client.steer(PRODUCTION);
        old.steer(PRODUCTION);
        others[1].pin(&new[0], NEW);
        fill(&mut others[1].inside(&new[0]));
        for (number, (host, server)) in new.iter().zip(&new_servers).enumerate() {
            server.pin(host, NEW);
            fill(&mut server.inside(host));
            host.steer(NEW);
            // What a new host sends is no more its work once it is on the wire.
            lab.switch().steer_at(&format!("new{}", number + 1), PRODUCTION);
        }
        plain.steer(NEW);
        // A switch without ports. Not every kernel has the `dummy` device, and mirred refuses a device
        // that has no carrier.
        old.shell(&format!(
            "ip link add hole type bridge
             ip addr add 10.99.0.1/24 dev hole
             ip link set hole up
             ip neigh add {BLACK_HOLE} dev hole lladdr 02:00:00:00:00:99 nud permanent"
        ));
        let targets = AtomicUsize::new(0);
        Self { old_server, new_servers, _others: others, client, old, new, plain, targets, lab }
    }

    /// Makes so many new hosts targets. They stay, as it takes seconds to make one, until [`Self::release`].
    pub(crate) fn serve(&self, targets: usize) {
        let serving = self.targets.fetch_max(targets, Ordering::Relaxed);
        for host in self.new.iter().take(targets).skip(serving) {
            host.agent_ok(&format!("drop eth0 --port {PORT}"));
        }
    }

    /// Leaves no new host a target.
    pub(crate) fn release(&self) {
        for host in &self.new[..self.targets.swap(0, Ordering::Relaxed)] {
            host.agent_ok("detach --all");
        }
    }

    /// Packets that the black hole was given.
    pub(crate) fn lost_in_hole(&self) -> Result<u64> {
        let text = self.old.output("ip", &["-j", "-s", "link", "show", "dev", "hole"]);
        let found: Value = serde_json::from_str(&text).context("ip prints JSON")?;
        found[0]["stats64"]["tx"]["packets"].as_u64().context("interfaces count packets")
    }

    /// Requests of a load that a server has answered.
    pub(crate) fn answered(server: &Memcached, host: &Host) -> u64 {
        server.stat(host, "cmd_get") + server.stat(host, "cmd_set")
    }
}
