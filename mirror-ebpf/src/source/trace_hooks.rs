//! What `--debug-packets` says at the old host's hooks.

use mirror_common::abi::{LABEL, MappingCounter, SourceCounter};
use mirror_ebpf::runtime::trace::Hook;

/// Clients' packets.
pub struct Ingress;
/// Copies; runs inside of [`Ingress`].
pub struct Copies;

impl Hook for Ingress {
    const INDEX: u32 = 0;
    const NAME: &'static str = "source ingress";

    #[inline(always)]
    fn label(counter: u32) -> Option<[u8; LABEL]> {
        const OTHERS: [u32; 6] = [
            SourceCounter::SkippedPort as u32,
            SourceCounter::SkippedProtocol as u32,
            SourceCounter::SkippedNotIp as u32,
            // Or those that are wanted would be left out.
            SourceCounter::SkippedClient as u32,
            SourceCounter::SkippedSample as u32,
            SourceCounter::SkippedRateLimit as u32,
        ];
        if OTHERS.contains(&counter) {
            return None;
        }
        SourceCounter::LABELS.get(counter as usize).copied()
    }
}

impl Hook for Copies {
    const INDEX: u32 = 1;
    const NAME: &'static str = "source copies";

    #[inline(always)]
    fn label(counter: u32) -> Option<[u8; LABEL]> {
        MappingCounter::LABELS.get(counter as usize).copied()
    }
}
