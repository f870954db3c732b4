//! What is compared.

use anyhow::Result;
use mirror_tests::{mirror::PORT, wait};

use super::{
    dup,
    site::{BLACK_HOLE, Site},
    statistics::attached,
};

/// One side of the comparison. From `BlackHole` on, each has what the one before it has, and one thing more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// No mirror.
    Bare,
    /// The kernel's own way to copy frames as they are to another interface.
    Mirred,
    /// The kernel's own way to copy packets to another host: it copies, routes and sends, as ours does.
    NftDup,
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
    pub(crate) const ALL: [Self; 7] = [
        Self::Bare,
        Self::Mirred,
        Self::NftDup,
        Self::BlackHole,
        Self::Sealed,
        Self::One,
        Self::Three,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Mirred => "tc mirred, black hole",
            Self::NftDup => "nft dup, black hole",
            Self::BlackHole => "ours, black hole",
            Self::Sealed => "ours, discarded by a host",
            Self::One => "mirrored, 1 target",
            Self::Three => "mirrored, 3 targets",
        }
    }

    /// How many new hosts apply what is sent.
    pub(crate) fn targets(self) -> usize {
        match self {
            Self::Bare | Self::Mirred | Self::NftDup | Self::BlackHole | Self::Sealed => 0,
            Self::One => 1,
            Self::Three => 3,
        }
    }

    /// Whether copies go into the black hole.
    pub(crate) fn uses_hole(self) -> bool {
        matches!(self, Self::Mirred | Self::NftDup | Self::BlackHole)
    }

    /// Whether a new host has something to do with it.
    pub(crate) fn needs_new_hosts(self) -> bool {
        matches!(self, Self::Sealed | Self::One | Self::Three)
    }

    /// Turns it on for as long as what this returns lives. Targets stay targets.
    pub(crate) fn start(self, site: &Site) -> Result<Running<'_>> {
        let running = Running { side: self, site, others: attached(&site.old)? };
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
            Self::NftDup => dup::start(&site.old)?,
            Self::BlackHole => attach(&[BLACK_HOLE.to_owned()]),
            Self::Sealed => attach(&[site.plain.v4().to_string()]),
            Self::One | Self::Three => {
                site.serve(self.targets());
                let hosts = &site.new[..self.targets()];
                attach(&hosts.iter().map(|host| host.v4().to_string()).collect::<Vec<_>>());
            }
        }
        Ok(running)
    }
}

/// A side that is on.
pub(crate) struct Running<'a> {
    side: Side,
    site: &'a Site,
    /// Programs on the old host that were there before.
    others: Vec<u64>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // After a panic the hosts go, and all this with them.
        if std::thread::panicking() {
            return;
        }
        let old = &self.site.old;
        match self.side {
            Side::Bare => return,
            Side::Mirred => {
                old.shell("tc qdisc del dev eth0 clsact");
            }
            Side::NftDup => {
                if let Err(error) = dup::stop(old) {
                    eprintln!("nft dup stays on: {error:#}");
                }
            }
            Side::BlackHole | Side::Sealed | Side::One | Side::Three => {
                old.agent_ok("detach --all");
            }
        }
        // The kernel takes programs off later than their pins go: when a thread of its own has its turn.
        wait::until("programs to be gone", || {
            attached(old).is_ok_and(|programs| programs == self.others).then_some(())
        });
    }
}
