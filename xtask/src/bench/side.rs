//! What is compared.

use mirror_tests::mirror::PORT;

use super::site::{BLACK_HOLE, Site};

/// One side of the comparison. Each has what the one before it has, and one thing more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// No mirror.
    Bare,
    /// The kernel's own way to copy packets.
    Mirred,
    /// Our copies, rewritten and sealed, into an interface that loses them.
    BlackHole,
    /// Our copies over the wire to a host without our program, whose stack discards them.
    Sealed,
    /// Mirrored.
    One,
    /// Mirrored, to three.
    Three,
}

impl Side {
    pub(crate) const ALL: [Self; 6] =
        [Self::Bare, Self::Mirred, Self::BlackHole, Self::Sealed, Self::One, Self::Three];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Mirred => "tc mirred, black hole",
            Self::BlackHole => "ours, black hole",
            Self::Sealed => "ours, discarded by a host",
            Self::One => "mirrored, 1 target",
            Self::Three => "mirrored, 3 targets",
        }
    }

    /// How many new hosts apply what is sent.
    pub(crate) fn targets(self) -> usize {
        match self {
            Self::Bare | Self::Mirred | Self::BlackHole | Self::Sealed => 0,
            Self::One => 1,
            Self::Three => 3,
        }
    }

    /// Whether copies go into the black hole.
    pub(crate) fn uses_hole(self) -> bool {
        matches!(self, Self::Mirred | Self::BlackHole)
    }

    /// Turns it on for as long as what this returns lives.
    pub(crate) fn start(self, site: &Site) -> Running<'_> {
        let running = Running { side: self, site };
        let attach = |targets: &[String]| {
            let maps: String =
                targets.iter().map(|target| format!(" --map {PORT}={target}:{PORT}")).collect();
            site.old.agent_ok(&format!("attach eth0{maps}"));
        };
        match self {
            Self::Bare => {}
            Self::Mirred => {
                site.old.shell(&format!(
                    "tc qdisc add dev eth0 clsact
                     tc filter add dev eth0 ingress protocol ip u32 \
                         match ip protocol 6 0xff match ip dport {PORT} 0xffff \
                         action mirred egress mirror dev hole"
                ));
            }
            Self::BlackHole => attach(&[BLACK_HOLE.to_owned()]),
            Self::Sealed => attach(&[site.new[0].v4().to_string()]),
            Self::One | Self::Three => {
                let hosts = &site.new[..self.targets()];
                for host in hosts {
                    host.agent_ok(&format!("drop eth0 --port {PORT}"));
                }
                attach(&hosts.iter().map(|host| host.v4().to_string()).collect::<Vec<_>>());
            }
        }
        running
    }
}

/// A side that is on.
pub(crate) struct Running<'a> {
    side: Side,
    site: &'a Site,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // After a panic the hosts go, and all this with them.
        if std::thread::panicking() {
            return;
        }
        if self.side == Side::Mirred {
            self.site.old.shell("tc qdisc del dev eth0 clsact");
        }
        self.site.old.agent_ok("detach --all");
        for host in &self.site.new[..self.side.targets()] {
            host.agent_ok("detach --all");
        }
    }
}
