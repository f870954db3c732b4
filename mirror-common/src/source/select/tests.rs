//! Which clients and connections are mirrored.

extern crate std;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::abi::{EXCLUDED, v4_mapped};

/// A sample of whole clients.
fn of_clients(seed: u64, sample: u32) -> Selection {
    Selection { seed, sample, sample_by: BY_CLIENT_ADDRESS, ..Selection::default() }
}

fn v4(number: u32) -> ClientKey {
    ClientKey { family: 4, addr: v4_mapped(number.to_be()) }
}

fn v6(number: u128) -> ClientKey {
    let word = |shift: u32| ((number >> shift) as u32).to_be();
    ClientKey { family: 6, addr: [word(96), word(64), word(32), word(0)] }
}

/// The prefix of `length` bits that `key` begins with.
fn prefix(key: ClientKey, length: u32) -> Prefix {
    let bits = if key.family == 4 { 128 + length } else { 32 + length };
    let mut key = key;
    for (at, word) in key.addr.iter_mut().enumerate() {
        let count = bits.saturating_sub(32 + 32 * at as u32).min(32);
        *word &= u32::MAX.checked_shl(32 - count).unwrap_or(0).to_be();
    }
    Prefix { bits, key }
}

/// How many of these flows (client, its port, local port) are in the sample.
fn share(selection: &Selection, flows: impl Iterator<Item = (u32, u16, u16)>) -> usize {
    let chosen = |(client, port, local): &(u32, u16, u16)| {
        in_sample(selection, &v4(*client).addr, *port, *local)
    };
    flows.filter(chosen).count()
}

#[test]
fn the_end_is_the_first_moment_that_is_over() {
    let selection = Selection { deadline: 100, ..Selection::default() };
    assert!(
        !is_expired(&selection, 99)
            && is_expired(&selection, 100)
            && is_expired(&selection, u64::MAX)
    );
    assert!(!is_expired(&Selection::default(), u64::MAX), "no end");
}

#[test]
fn who_is_not_named_is_as_the_others() {
    for other_clients in [0, 1] {
        let selection = Selection { other_clients, ..Selection::default() };
        assert_eq!(takes_client(&selection, None), other_clients != 0);
        assert!(takes_client(&selection, Some(INCLUDED)));
        assert!(!takes_client(&selection, Some(EXCLUDED)));
    }
}

#[test]
fn the_longer_prefix_wins_both_ways() {
    let table = BTreeMap::from([
        (prefix(v4(0x0a00_0000), 8), INCLUDED),
        (prefix(v4(0x0a01_0000), 16), EXCLUDED),
        (prefix(v4(0x0a01_0200), 24), INCLUDED),
        (prefix(v6(0), 0), EXCLUDED),
        (prefix(v6(0xfd00 << 112), 16), INCLUDED),
        (prefix(v6(0xfd00 << 112 | 7), 128), EXCLUDED),
    ]);
    for (client, says) in [
        (v4(0x0a00_0001), Some(INCLUDED)),
        (v4(0x0a01_ffff), Some(EXCLUDED)),
        (v4(0x0a01_02ff), Some(INCLUDED)),
        (v4(0x0b00_0000), None),
        (v6(0xfd00 << 112 | 8), Some(INCLUDED)),
        (v6(0xfd00 << 112 | 7), Some(EXCLUDED)),
        (v6(0xfd01 << 112), Some(EXCLUDED)),
        // The same bits in the other family.
        (ClientKey { family: 6, ..v4(0x0a00_0001) }, Some(EXCLUDED)),
    ] {
        assert_eq!(longest(&table, &client), says, "{client:?}");
    }
}

#[test]
fn a_sample_is_a_share_of_connections_however_they_differ() {
    const FLOWS: usize = 20_000;
    for seed in [0, 1, 0x1234_5678_9abc_def0, u64::MAX] {
        for (sample, expected) in [(5_000, 100), (100_000, 2_000), (500_000, 10_000)] {
            let selection = Selection { seed, sample, ..Selection::default() };
            let by_port = (0..FLOWS).map(|n| (0x0a00_0001, 30_000 + n as u16, 11211));
            let by_client = (0..FLOWS).map(|n| (0x0a00_0000 + n as u32, 40_000, 11211));
            let by_local = (0..FLOWS).map(|n| (0x0a00_0001, 40_000, n as u16));
            for chosen in [
                share(&selection, by_port),
                share(&selection, by_client),
                share(&selection, by_local),
            ] {
                // Six standard deviations of what chance gives.
                let deviation = (expected as f64).sqrt() * 6.0;
                assert!(
                    (chosen as f64 - expected as f64).abs() < deviation,
                    "seed {seed:#x}, sample {sample}: {chosen} of {FLOWS}"
                );
            }
        }
    }
}

#[test]
fn a_sample_by_client_address_is_a_share_of_clients() {
    const CLIENTS: u32 = 20_000;
    for seed in [0, 1, 0x1234_5678_9abc_def0, u64::MAX] {
        for (sample, expected) in [(5_000, 100), (100_000, 2_000), (500_000, 10_000)] {
            let of_one_port = (0..CLIENTS).map(|n| (0x0a00_0000 + n, 40_000, 11211));
            let chosen = share(&of_clients(seed, sample), of_one_port);
            let deviation = f64::from(expected).sqrt() * 6.0;
            assert!(
                (chosen as f64 - f64::from(expected)).abs() < deviation,
                "seed {seed:#x}, sample {sample}: {chosen} of {CLIENTS}"
            );
        }
    }
}

#[test]
fn sources_with_other_seeds_choose_independently() {
    const FLOWS: u16 = 40_000;
    let choices = [1, 2].map(|seed| Selection { seed, sample: 100_000, ..Selection::default() });
    let both = (0..FLOWS)
        .filter(|port| {
            choices
                .iter()
                .all(|selection| in_sample(selection, &v4(0x0a00_0001).addr, *port, 11211))
        })
        .count();
    assert!((280..520).contains(&both), "a tenth of a tenth: {both}");
}

proptest! {
    #[test]
    fn all_and_nothing(seed: u64, addr: [u32; 4], port: u16, local: u16) {
        let selection = Selection { seed, sample: ALL_FLOWS, ..Selection::default() };
        prop_assert!(in_sample(&selection, &addr, port, local));
        let selection = Selection { seed, sample: 0, ..Selection::default() };
        prop_assert!(!in_sample(&selection, &addr, port, local));
    }

    #[test]
    fn by_client_address_all_ports_of_a_client_have_one_verdict(
        seed: u64, addr: [u32; 4], ports: (u16, u16), others: (u16, u16), sample in 0..=ALL_FLOWS
    ) {
        let selection = of_clients(seed, sample);
        let chosen = |(client, local)| in_sample(&selection, &addr, client, local);
        prop_assert_eq!(chosen(ports), chosen(others));
    }

    #[test]
    fn by_client_address_a_larger_sample_holds_the_smaller(
        seed: u64, addr: [u32; 4], port: u16, local: u16, a in 0..=ALL_FLOWS, b in 0..=ALL_FLOWS
    ) {
        let chosen = |sample| in_sample(&of_clients(seed, sample), &addr, port, local);
        prop_assert!(!chosen(a.min(b)) || chosen(a.max(b)));
    }

    #[test]
    fn a_larger_sample_holds_the_smaller(
        seed: u64, addr: [u32; 4], port: u16, local: u16, a in 0..=ALL_FLOWS, b in 0..=ALL_FLOWS
    ) {
        let chosen = |sample| in_sample(&Selection { seed, sample, ..Selection::default() }, &addr, port, local);
        prop_assert!(!chosen(a.min(b)) || chosen(a.max(b)));
    }

    #[test]
    fn a_prefix_covers_what_begins_like_it(base: u128, other: u128, length in 0u32..=128, near: bool) {
        // Chance alone never makes two that share many bits.
        let other = if near { base ^ other.checked_shr(length).unwrap_or(0) } else { other };
        let same = (base ^ other).checked_shr(128 - length).unwrap_or(0) == 0;
        prop_assert_eq!(prefix(v6(base), length).covers(&v6(other)), same);
        let (base, other, length) = (base as u32, other as u32, length / 4);
        let same = (base ^ other).checked_shr(32 - length).unwrap_or(0) == 0;
        prop_assert_eq!(prefix(v4(base), length).covers(&v4(other)), same);
    }

    #[test]
    fn the_longest_of_many_wins(
        table in proptest::collection::btree_map((0u32..256, 24u32..=32), 0u32..=1, 0..20),
        client in 0u32..256,
    ) {
        let table: BTreeMap<Prefix, u32> = table
            .into_iter()
            .map(|((last, length), verdict)| (prefix(v4(0x0a00_0000 | last), length), verdict))
            .collect();
        let client = v4(0x0a00_0000 | client);
        // From the longest down, as one would look for it by hand.
        let by_hand = (0..=32).rev().find_map(|length| table.get(&prefix(client, length)).copied());
        prop_assert_eq!(longest(&table, &client), by_hand);
    }
}
