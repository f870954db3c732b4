//! Whether a packet that a map takes is mirrored: is it over, whose packet is it, is its flow in the sample.
//!
//! No state is kept: whatever is decided for one packet of a connection is decided for all of them, since
//! all that counts is the client's address and port and the local port, or the address alone. Time alone passes.

use crate::abi::{ALL_FLOWS, Address, BY_CLIENT_ADDRESS, ClientKey, INCLUDED, Selection};

/// Whether nothing is mirrored any more; `now` in ns of the clock of [`Selection::deadline`].
#[inline(always)]
pub fn is_expired(selection: &Selection, now: u64) -> bool {
    selection.deadline != 0 && now >= selection.deadline
}

/// Whether a client is mirrored of whom the longest prefix that covers it says `found`, which is
/// `None` where no prefix covers it.
#[inline(always)]
pub fn takes_client(selection: &Selection, found: Option<u32>) -> bool {
    match found {
        Some(verdict) => verdict == INCLUDED,
        None => selection.other_clients != 0,
    }
}

/// Whether a flow is in the sample; ports in host order. A larger sample of the same seed holds all
/// flows of a smaller one. By client address, all flows of a client are in it, or none, whatever the ports.
#[inline(always)]
pub fn in_sample(
    selection: &Selection,
    client: &Address,
    client_port: u16,
    local_port: u16,
) -> bool {
    let place = match selection.sample_by {
        BY_CLIENT_ADDRESS => share(selection.seed, client, 0, 0),
        _ => share(selection.seed, client, client_port, local_port),
    };
    place < selection.sample as u64
}

/// A flow's place among [`ALL_FLOWS`], by a hash.
#[inline(always)]
pub(crate) fn share(seed: u64, client: &Address, client_port: u16, local_port: u16) -> u64 {
    // The upper half, as a fraction.
    ((hash(seed, client, client_port, local_port) >> 32) * ALL_FLOWS as u64) >> 32
}

#[inline(always)]
fn hash(seed: u64, client: &Address, client_port: u16, local_port: u16) -> u64 {
    let pair = |upper: u32, lower: u32| (upper as u64) << 32 | lower as u64;
    let word = |at: usize| u32::from_be(client[at]);
    let mut hash = mix(seed ^ pair(word(0), word(1)));
    hash = mix(hash ^ pair(word(2), word(3)));
    mix(hash ^ pair(client_port as u32, local_port as u32))
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
/// 2014), and its increment, so that zero is not mapped to itself.
#[inline(always)]
fn mix(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// A prefix of clients' addresses, as the kernel's table has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    /// How many bits of `key` count: the 32 of the family, and those of the address.
    pub bits: u32,
    /// Family and address; zero behind the bits that count.
    pub key: ClientKey,
}

impl Prefix {
    /// Whether `client` is one of these.
    pub fn covers(&self, client: &ClientKey) -> bool {
        let mut left = self.bits.saturating_sub(32);
        for (own, other) in self.key.addr.iter().zip(&client.addr) {
            let count = left.min(32);
            let mask = u32::MAX.checked_shl(32 - count).unwrap_or(0).to_be();
            if (own ^ other) & mask != 0 {
                return false;
            }
            left -= count;
        }
        self.key.family == client.family
    }
}

/// What the longest prefix that covers `client` says, as the kernel's table finds it; `None` where none
/// does.
pub fn longest<'a>(
    prefixes: impl IntoIterator<Item = (&'a Prefix, &'a u32)>,
    client: &ClientKey,
) -> Option<u32> {
    prefixes
        .into_iter()
        .filter(|(prefix, _)| prefix.covers(client))
        .max_by_key(|(prefix, _)| prefix.bits)
        .map(|(_, verdict)| *verdict)
}

#[cfg(test)]
mod tests;
