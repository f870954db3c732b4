//! Which of the packets that a map takes are mirrored: one [`Selection`] for each source, and a
//! [`ClientKey`] for each prefix of clients' addresses.

use super::address::Address;

/// [`Selection::sample`] that takes every flow: what it is counted in.
pub const ALL_FLOWS: u32 = 1_000_000;
/// [`Selection::sample_by`]: the client's address alone decides.
pub const BY_CLIENT_ADDRESS: u32 = 1;
/// Prefixes of clients' addresses that one source can have.
pub const MAX_PREFIXES: u32 = 16_384;

/// What is mirrored, and until when. 88 bytes, host byte order. All zero is nothing at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Selection {
    /// When nothing is mirrored any more, in ns since boot with time that was spent suspended (`CLOCK_BOOTTIME`); 0 for
    /// never.
    pub deadline: u64,
    /// What makes this source's sample another than that of others.
    pub seed: u64,
    /// How many of [`ALL_FLOWS`] are mirrored.
    pub sample: u32,
    /// Whether the table of prefixes decides about clients; 0 where it is not even asked.
    pub by_client: u32,
    /// Whether clients that no prefix covers are mirrored, where the table decides.
    pub other_clients: u32,
    /// Whether to count only, and send nothing.
    pub dry_run: u32,
    /// Copies that each target is sent in a second, on average; 0 for any number.
    pub packets_per_s: u32,
    /// The same in kilobits (1000 bits).
    pub kbits_per_s: u32,
    /// How often each connection is copied to each target; 0 and 1 are once.
    pub copies: u32,
    /// The bits of an IPv4 address, as a number, that tell those of the pool apart; 0 for no pool.
    pub pool_v4_mask: u32,
    /// The same of an IPv6 address's last 32 bits.
    pub pool_v6_mask: u32,
    /// Whether the sample takes all connections of a client or none ([`BY_CLIENT_ADDRESS`]); 0 where each connection
    /// has a place of its own in it.
    pub sample_by: u32,
    /// The first address of the pool that extra copies are from.
    pub pool_v4: Address,
    /// The same for IPv6.
    pub pool_v6: Address,
}

/// A client's address in the table of prefixes, which compares bits in the order of memory. The family
/// comes first, so that `::/0` covers no IPv4 address. 20 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(C)]
pub struct ClientKey {
    /// 4 or 6, and above these eight bits the generation, host byte order: prefixes hold either all of it or are no
    /// prefixes.
    pub family: u32,
    /// The address.
    pub addr: Address,
}

impl ClientKey {
    /// All of a key's bits: the length of a prefix that covers one address.
    pub const BITS: u32 = 160;

    /// The same in `generation`.
    #[inline(always)]
    #[must_use]
    pub const fn in_generation(self, generation: u32) -> Self {
        Self { family: (generation << 8) | (self.family & 0xff), ..self }
    }

    /// The generation that it is in.
    #[inline(always)]
    pub const fn generation(&self) -> u32 {
        self.family >> 8
    }
}

/// What the table says of a prefix: its clients are not mirrored.
pub const EXCLUDED: u32 = 0;
/// What the table says of a prefix: its clients are mirrored.
pub const INCLUDED: u32 = 1;

const _: () = assert!(size_of::<Selection>() == 88 && size_of::<ClientKey>() == 20);
