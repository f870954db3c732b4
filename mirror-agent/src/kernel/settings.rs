//! Values that are fixed when programs are loaded.

use aya::EbpfLoader;
use mirror_common::{abi::Meta, packet::seal::Magic};

/// Bytes of a ring buffer that nobody writes to: the kernel wants a page.
const SMALLEST_RING: u32 = 4096;

/// What one role's programs are loaded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settings {
    /// A source's.
    Source(Source),
    /// A target's.
    Target(Target),
    /// A guard's, which knows nothing of copies.
    Guard {
        /// The interface that the program is for.
        ifindex: u32,
    },
}

/// A source's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The interface that the programs are for.
    pub ifindex: u32,
    /// The copy device.
    pub copy_ifindex: u32,
    /// What copies are sealed with.
    pub magic: Magic,
    /// How often each TCP copy is sent.
    pub redundancy: u32,
    /// Whether to copy what this host does not take itself.
    pub forwarded: bool,
    /// Whether to trace packets.
    pub trace: bool,
}

/// A target's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The interface that the programs are for.
    pub ifindex: u32,
    /// What copies are sealed with.
    pub magic: Magic,
    /// Near end of the hold device.
    pub hold_ifindex: u32,
    /// Size of the flow table.
    pub max_connections: u32,
    /// Whether copies are taken from allowed MAC addresses only.
    pub macs_limited: bool,
    /// Commands that are blocked, as `mirror_common::memcached::admin_command` numbers them.
    pub blocked: u32,
    /// Receive buffer that listeners are to have, in bytes; 0 for their own. For `status`: no program knows it.
    pub receive_buffer: u32,
    /// Whether to trace packets.
    pub trace: bool,
}

impl Settings {
    /// Whether to trace packets.
    pub const fn trace(&self) -> bool {
        match self {
            Self::Source(source) => source.trace,
            Self::Target(target) => target.trace,
            Self::Guard { .. } => false,
        }
    }

    /// Has the programs loaded with these.
    pub(super) fn apply<'a>(&'a self, loader: &mut EbpfLoader<'a>) {
        match self {
            Self::Source(source) => {
                loader
                    .override_global("REDUNDANCY", &source.redundancy, true)
                    .override_global("COPY_IFINDEX", &source.copy_ifindex, true)
                    .override_global("FORWARDED", flag(source.forwarded), true);
                mirror(loader, &source.magic, source.trace);
            }
            Self::Target(target) => {
                loader
                    .map_max_entries("FLOWS", target.max_connections)
                    .override_global("HOLD_IFINDEX", &target.hold_ifindex, true)
                    .override_global("IFINDEX", &target.ifindex, true)
                    .override_global("MACS_LIMITED", flag(target.macs_limited), true)
                    .override_global("BLOCKED", &target.blocked, true);
                mirror(loader, &target.magic, target.trace);
            }
            Self::Guard { .. } => {}
        }
    }

    /// What is remembered of them; nothing else of [`Meta`] is set.
    pub(super) fn meta(&self) -> Meta {
        match *self {
            Self::Source(source) => Meta {
                ifindex: source.ifindex,
                seal: source.magic.0,
                redundancy: source.redundancy,
                forwarded: source.forwarded.into(),
                ..Meta::default()
            },
            Self::Target(target) => Meta {
                ifindex: target.ifindex,
                seal: target.magic.0,
                redundancy: 1,
                receive_buffer: target.receive_buffer,
                max_connections: target.max_connections,
                blocked: target.blocked,
                ..Meta::default()
            },
            Self::Guard { ifindex } => Meta { ifindex, redundancy: 1, ..Meta::default() },
        }
    }
}

/// What sources and targets have in common.
fn mirror<'a>(loader: &mut EbpfLoader<'a>, magic: &'a Magic, trace: bool) {
    loader.override_global("SEAL", &magic.0, true).override_global(
        "DEBUG_PACKETS",
        flag(trace),
        true,
    );
    if !trace {
        loader.map_max_entries("AYA_LOGS", SMALLEST_RING);
    }
}

/// As a program has it.
const fn flag(on: bool) -> &'static u32 {
    if on { &1 } else { &0 }
}
