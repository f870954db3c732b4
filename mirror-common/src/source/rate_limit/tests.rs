//! How a rate limit settles.

extern crate std;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::abi::v4_mapped;

const SECOND: u64 = 1_000_000_000;

fn limit(packets_per_s: u32, kbits_per_s: u32) -> Selection {
    Selection { packets_per_s, kbits_per_s, seed: 7, ..Selection::default() }
}

#[test]
fn a_copy_costs_what_is_scarcer() {
    assert_eq!(cost(&limit(1000, 0), 1, 9000), SECOND / 1000);
    assert_eq!(cost(&limit(1000, 0), 3, 100), 3 * SECOND / 1000);
    // 1500 bytes are 12,000 bits: 1.2 ms of 10 Mbit/s.
    assert_eq!(cost(&limit(0, 10_000), 1, 1500), 1_200_000);
    assert_eq!(cost(&limit(1000, 10_000), 1, 1500), 1_200_000);
    assert_eq!(cost(&limit(1000, 10_000), 1, 100), SECOND / 1000);
    assert!(!is_limited(&limit(0, 0)) && is_limited(&limit(1, 0)) && is_limited(&limit(0, 1)));
}

/// Flows that send in turn, at `rate` packets a second together, for `seconds`.
struct Load<'a> {
    state: &'a mut RateState,
    selection: Selection,
    now: u64,
    places: Vec<u64>,
}

impl Load<'_> {
    /// Returns what was sent in each second, and how often a flow changed sides.
    fn run(&mut self, rate: u64, seconds: usize) -> (Vec<u64>, u64) {
        let (mut sent, mut flaps) = (Vec::new(), 0);
        let mut kept: Vec<Option<bool>> = self.places.iter().map(|_| None).collect();
        let cost = cost(&self.selection, 1, 100);
        for _ in 0..seconds {
            let mut in_second = 0;
            for packet in 0..rate {
                self.now += SECOND / rate;
                let flow = packet as usize % self.places.len();
                let is_kept = admit(self.state, self.places[flow], cost, self.now);
                in_second += u64::from(is_kept);
                flaps += u64::from(kept[flow].is_some_and(|was| was != is_kept));
                kept[flow] = Some(is_kept);
            }
            sent.push(in_second);
        }
        (sent, flaps)
    }
}

fn load(state: &mut RateState, packets_per_s: u32) -> Load<'_> {
    let selection = limit(packets_per_s, 0);
    let places = (0..2000u16)
        .map(|port| place(&selection, &v4_mapped(0x0a00_0001u32.to_be()), 30_000 + port, 11211))
        .collect();
    Load { state, selection, now: 5 * SECOND, places }
}

#[test]
fn below_the_limit_nothing_is_shed() {
    let mut state = RateState::default();
    let (sent, flaps) = load(&mut state, 10_000).run(9_000, 20);
    assert_eq!((sent, flaps), ([9_000; 20].to_vec(), 0));
}

#[test]
fn above_it_the_rate_comes_down_and_flows_stay_on_their_side() {
    for rate in [12_000u64, 20_000, 100_000, 1_000_000] {
        let mut state = RateState::default();
        let mut load = load(&mut state, 10_000);
        load.run(rate, 5);
        let (sent, flaps) = load.run(rate, 20);
        let most = sent.iter().max().unwrap();
        let mean = sent.iter().sum::<u64>() / 20;
        assert!(*most <= 10_500 && mean <= 10_000, "{rate}: {sent:?}");
        assert!(mean >= 8_000, "{rate}: {sent:?}");
        // Of 2000 flows, in 20 seconds.
        assert!(flaps <= 400, "{rate}: {flaps}");
    }
}

#[test]
fn when_the_load_goes_all_come_back() {
    let mut state = RateState::default();
    let mut load = load(&mut state, 10_000);
    load.run(100_000, 5);
    let (sent, _) = load.run(5_000, 20);
    assert_eq!(sent[19], 5_000, "{sent:?}");
    load.run(100_000, 5);
    load.now += 11 * SECOND;
    assert_eq!(load.run(5_000, 1).0, [5_000]);
}

#[test]
fn one_client_is_no_reason_to_shed_all() {
    // A single flow that alone is more than the limit is left out, tried again, and left out.
    let mut state = RateState::default();
    let mut load = load(&mut state, 1000);
    load.places.truncate(1);
    let (sent, _) = load.run(10_000, 60);
    assert!(sent.iter().sum::<u64>() < 60 * 1500, "{sent:?}");
}

proptest! {
    #[test]
    fn no_window_does_more_than_it_may(left_out in 0..=ALL, spent in 0..SECOND * 100, age in 0..SECOND * 9) {
        let next = next_left_out(left_out, spent, age);
        prop_assert!(next <= ALL);
        let (kept, then) = (ALL - left_out, ALL - next);
        prop_assert!(then >= kept / STEEPEST_CUT);
        prop_assert!(then <= kept + kept / STEEPEST_RISE + 1);
        if spent > age { prop_assert!(then <= kept) } else { prop_assert!(then >= kept) }
    }
}

#[test]
fn of_a_sample_any_share_is_kept() {
    let selection = Selection { sample: ALL_FLOWS / 100, ..limit(1, 0) };
    let client = v4_mapped(1);
    let sampled: Vec<u16> =
        (1..=u16::MAX).filter(|port| select::in_sample(&selection, &client, *port, 1)).collect();
    let lower =
        sampled.iter().filter(|port| place(&selection, &client, **port, 1) < ALL / 2).count();
    assert!((sampled.len() * 2 / 5..sampled.len() * 3 / 5).contains(&lower), "{lower}");
}
