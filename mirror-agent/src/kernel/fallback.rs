//! What is used in place of what a kernel or a driver lacks, and what is lost by it: all of it, in one place.

use std::fmt;

/// One step down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// Linux before 6.6.
    Clsact,
    /// A driver without XDP.
    GenericXdp,
    /// A kernel without `CONFIG_NET_SCH_TBF`.
    FairQueue,
    /// One without `CONFIG_NET_SCH_FQ`, too.
    NoQueue,
    /// One whose veth cannot be switched to NAPI (before Linux 5.13).
    Unordered,
    /// A `/proc/sys` that cannot be written.
    WayOfAttach,
    /// The same.
    WayBackUnknown,
}

impl Fallback {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Clsact,
        Self::GenericXdp,
        Self::FairQueue,
        Self::NoQueue,
        Self::Unordered,
        Self::WayOfAttach,
        Self::WayBackUnknown,
    ];

    /// What would be better, what is used, and what is lost.
    pub const fn row(self) -> [&'static str; 3] {
        match self {
            Self::Clsact => [
                "tcx links",
                "filters of clsact",
                "the kernel does not guard them: whoever clears the interface's filters (`tc`) ends the mirror",
            ],
            Self::GenericXdp => [
                "native XDP",
                "generic XDP",
                "speed: the kernel makes a socket buffer of each packet first",
            ],
            Self::FairQueue => [
                "tbf in the hold device",
                "fq with a rate",
                "copies are paced for each connection: where many wait at once, a processor is busier",
            ],
            Self::NoQueue => [
                "fq in the hold device",
                "no queue",
                "copies that wait keep a processor busy, and more of them are lost",
            ],
            Self::Unordered => [
                "NAPI in the hold device",
                "the backlogs of all CPUs",
                "small requests of a client that does not wait overtake each other while they are held, and some are lost",
            ],
            Self::WayOfAttach => [
                "forwarding of the copy device",
                "the interface of the route at the time of attach",
                "copies do not follow a route to another interface, nor are they cut to a smaller path; errors about them reach clients",
            ],
            Self::WayBackUnknown => [
                "forwarding of the hold device",
                "no look-up of the way back to a client",
                "that replies leave by an interface without the mirror's program is only noticed when a few did",
            ],
        }
    }
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [better, used, lost] = self.row();
        write!(f, "no {better} here, so {used}: {lost}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_docs_have_the_same_table() {
        let docs = include_str!("../../../docs/fallbacks.md");
        for fallback in Fallback::ALL {
            let [better, used, lost] = fallback.row();
            let row = format!("| {better} | {used} | {lost} |");
            assert!(docs.contains(&row), "{row}");
        }
    }
}
