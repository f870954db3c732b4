//! Endpoints of extra copies.

extern crate std;
use std::{collections::BTreeSet, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::abi::{MAX_COPIES, v4_mapped};

fn v4(address: u32) -> Address {
    v4_mapped(address.to_be())
}

fn pool(copies: u32, mask: u32) -> Selection {
    Selection { copies, pool_v4: v4(0xc612_0000), pool_v4_mask: mask, ..Selection::default() }
}

#[test]
fn usual_ports_and_their_first_copies_never_meet() {
    let selection = Selection { copies: 2, ..Selection::default() };
    let usual = 32768..=60999u16;
    let mut ends: BTreeSet<u16> = usual.clone().collect();
    for port in usual.clone() {
        let (addr, alias) = of(&selection, 4, &v4(1), port.to_be(), 1);
        assert_eq!(addr, v4(1));
        assert!(ends.insert(u16::from_be(alias)), "{port}");
    }
}

#[test]
fn copies_of_one_connection_differ() {
    for selection in [Selection { copies: 16, ..Selection::default() }, pool(16, 0xffff)] {
        let ends: BTreeSet<_> = (0..MAX_COPIES)
            .map(|copy| of(&selection, 4, &v4(7), 40_000u16.to_be(), copy))
            .collect();
        assert_eq!(ends.len(), 16);
    }
}

#[test]
fn a_pool_with_room_has_an_address_for_each_client_and_copy() {
    let selection = pool(5, 0xffff);
    let mut ends = BTreeSet::new();
    for client in 0x0a00_0000..0x0a00_0000 + 0x1_0000 / MAX_COPIES {
        for copy in 1..5 {
            let (addr, port) = of(&selection, 4, &v4(client), 5, copy);
            assert_eq!((u32::from_be(addr[3]) >> 16, port), (0xc612, 5));
            assert!(ends.insert(addr));
        }
    }
}

#[test]
fn families_have_pools_of_their_own() {
    let selection = Selection {
        copies: 2,
        pool_v6: [0xfd00_0001u32.to_be(), 0, 0, 0],
        pool_v6_mask: u32::MAX,
        ..Selection::default()
    };
    let client = [0xfd77_0000u32.to_be(), 0, 0, 9u32.to_be()];
    let expected = [0xfd00_0001u32.to_be(), 0, 0, (9 * 16 + 1u32).to_be()];
    assert_eq!(of(&selection, 6, &client, 5, 1), (expected, 5));
    assert_eq!(of(&selection, 4, &v4(9), 5u16.to_be(), 1), (v4(9), 0x8005u16.to_be()));
}

#[test]
fn an_end_has_one_owner() {
    let owner = |port, seen| Owner { addr: v4(1), port, pad: 0, seen };
    let (me, later) = (owner(1, 100), owner(1, 101));
    assert_eq!(claim(None, &me, false), Claim::Write);
    assert_eq!(claim(Some(&me), &me, false), Claim::Known);
    assert_eq!(claim(Some(&me), &later, false), Claim::Write);
    assert_eq!(claim(Some(&owner(2, 100)), &me, false), Claim::Taken);
    assert_eq!(claim(Some(&owner(2, 41)), &me, false), Claim::Taken);
    assert_eq!(claim(Some(&owner(2, 40)), &me, false), Claim::Write, "silent for a minute");
    assert_eq!(claim(Some(&owner(2, 100)), &me, true), Claim::Write, "a client's own");
}

proptest! {
    #[test]
    fn no_two_ports_have_the_same_copy(copy in 1..MAX_COPIES) {
        let selection = Selection { copies: MAX_COPIES, ..Selection::default() };
        let ports: Vec<u16> = (0..=u16::MAX).map(|port| of(&selection, 4, &v4(1), port, copy).1).collect();
        let distinct: BTreeSet<&u16> = ports.iter().collect();
        prop_assert_eq!(distinct.len(), ports.len());
    }
}
