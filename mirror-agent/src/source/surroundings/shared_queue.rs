//! Production's replies and copies in one queue of an interface that copies can fill.
//!
//! Copies have the priority that queues with bands serve last (`TC_PRIO_FILLER`). Where the queue has none, replies wait
//! behind copies. That is said where it is likely: at links of 1 Gbit/s or less, which clients of 10 Gbit/s or a few
//! targets fill, and wherever a token bucket (`tbf`) paces what leaves. Faster links are left alone.

use crate::{
    config::rate::{Limits, Rate},
    net::queue::Queue,
};

/// Bits a second that copies are likely to fill.
const SLOW: u64 = 1_000_000_000;
/// Queueing disciplines without classes that serve packets whatever their priority.
const WITHOUT_BANDS: [&str; 15] = [
    "bfifo", "cake", "choke", "codel", "fq_codel", "fq_pie", "gred", "hhf", "netem", "noqueue",
    "pfifo", "pie", "red", "sfq", "tbf",
];
/// Since when `fq` has bands.
const BANDS_OF_FQ: (u32, u32) = (6, 7);

/// What to say of an interface by which the copies of so many maps leave, each with these limits.
pub(super) fn note(
    interface: &str,
    queue: &Queue,
    (maps, limits): (usize, Limits),
    kernel: Option<(u32, u32)>,
) -> Option<String> {
    let bits = match (queue.rate, queue.link) {
        (Some(rate), Some(link)) => rate.min(link),
        (Some(rate), None) => rate,
        (None, link) => link.filter(|link| *link <= SLOW)?,
    };
    let of_all_maps = 1000 * u64::from(limits.kbits) * maps as u64;
    if !lacks_bands(queue, kernel) || maps == 0 || of_all_maps != 0 && of_all_maps < bits {
        return None;
    }
    let names: Vec<&str> =
        std::iter::once(&queue.root).chain(&queue.below).map(String::as_str).collect();
    Some(format!(
        "copies leave by {interface}, whose queue ({}, {}) serves them like all else: when it is full, production's \
         replies wait behind copies; --rate-limit {} leaves half of it to production",
        names.join(" of "),
        rate(bits),
        rate(two_digits(bits / 2 / maps as u64)),
    ))
}

/// Whether some packets pass a queue that does not know priorities.
fn lacks_bands(queue: &Queue, kernel: Option<(u32, u32)>) -> bool {
    let last =
        if queue.below.is_empty() { std::slice::from_ref(&queue.root) } else { &queue.below };
    last.iter().any(|kind| match kind.as_str() {
        "fq" => kernel.is_some_and(|kernel| kernel < BANDS_OF_FQ),
        kind => WITHOUT_BANDS.contains(&kind),
    })
}

fn rate(bits: u64) -> Rate {
    Rate::Kbits(u32::try_from(bits / 1000).unwrap_or(u32::MAX).max(1))
}

/// As much of a number as is worth typing.
fn two_digits(number: u64) -> u64 {
    let mut unit = 1;
    while number / unit >= 100 {
        unit *= 10;
    }
    number / unit * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Option<(u32, u32)> = Some((6, 12));

    fn queue(root: &str, below: &[&str], rate: Option<u64>, link: Option<u64>) -> Queue {
        let below = below.iter().map(ToString::to_string).collect();
        Queue { root: root.into(), below, rate, link }
    }

    fn said(queue: &Queue, maps: usize, kbits: u32) -> Option<String> {
        note("eth0", queue, (maps, Limits { packets: 0, kbits }), NEW)
    }

    #[test]
    fn a_token_bucket_is_named_with_a_limit() {
        let slow = queue("tbf", &[], Some(5_000_000), Some(10_000_000_000));
        insta::assert_snapshot!(said(&slow, 2, 0).unwrap(), @"copies leave by eth0, whose queue (tbf, 5mbit) serves them like all else: when it is full, production's replies wait behind copies; --rate-limit 1200kbit leaves half of it to production");
        assert_eq!(said(&slow, 2, 1000), None, "limited already");
        assert!(said(&slow, 2, 2500).is_some(), "copies alone can fill it");
        let banded = queue("tbf", &["pfifo_fast"], Some(5_000_000), None);
        assert_eq!(said(&banded, 2, 0), None);
    }

    #[test]
    fn slow_links_without_bands_are_named_and_fast_ones_are_not() {
        const GIGABIT: Option<u64> = Some(1_000_000_000);
        const FAST: Option<u64> = Some(10_000_000_000);
        for (root, below, link, expected) in [
            ("fq_codel", &[][..], GIGABIT, true),
            ("fq_codel", &[], FAST, false),
            ("fq_codel", &[], None, false),
            ("mq", &["fq_codel"], GIGABIT, true),
            ("mq", &["fq_codel"], FAST, false),
            ("mq", &["pfifo_fast"], GIGABIT, false),
            ("pfifo_fast", &[], Some(100_000_000), false),
            ("fq", &[], GIGABIT, false),
            ("prio", &[], GIGABIT, false),
            ("htb", &[], GIGABIT, false),
            ("noqueue", &[], GIGABIT, true),
            ("noqueue", &[], FAST, false),
            ("", &[], GIGABIT, false),
        ] {
            let found = said(&queue(root, below, None, link), 1, 0);
            assert_eq!(found.is_some(), expected, "{root} {below:?} {link:?}: {found:?}");
        }
        let old =
            note("eth0", &queue("fq", &[], None, GIGABIT), (1, Limits::default()), Some((6, 1)));
        assert!(old.is_some(), "fq had no bands then");
    }

    #[test]
    fn figures_are_short() {
        for (number, expected) in [(0, 0), (7, 7), (99, 99), (123, 120), (166_666_666, 160_000_000)]
        {
            assert_eq!(two_digits(number), expected);
        }
        assert_eq!(rate(500_000_000).to_string(), "500mbit");
        assert_eq!(rate(0).to_string(), "1kbit");
    }
}
