//! A client that is far away, on a line that loses one of a hundred segments before they reach the old host: TCP sends
//! them again a round trip later, and production misses nothing.
//!
//! ```text
//!   client ──20 or 150 ms, 1 %──┬── old
//!                               └── new      has what arrived at old, in the order it did
//! ```

use std::time::Duration;

use mirror_tests::{expected::to_fail, long_line::LongLine, mirror::Mirror};

const CONNECTIONS: usize = 10;

/// Connections, all at once, set so many values of this size each; returns the keys.
fn set(mirror: &Mirror, name: &str, values: usize, size: usize) -> Vec<String> {
    let key = |i, n| format!("{name}{i}-{n}");
    std::thread::scope(|scope| {
        for i in 0..CONNECTIONS {
            scope.spawn(move || {
                let mut client = mirror.connect();
                (0..values).for_each(|n| client.set(&key(i, n), &vec![b'a' + n as u8; size]));
            });
        }
    });
    mirror.new.settled("target");
    (0..CONNECTIONS).flat_map(|i| (0..values).map(move |n| key(i, n))).collect()
}

#[test]
fn values_of_a_far_client() {
    let mirror = Mirror::running();
    let line = LongLine::before_client(&mirror, Duration::from_millis(20));
    // A request in one segment leaves no hole when it is lost: nothing comes behind it.
    line.lose_one_of(10);
    mirror.assert_copied(set(&mirror, "small", 3, 500));
    let of_small = line.lost();
    assert!(of_small > 0, "none of the small requests was lost");

    line.lose_one_of(100);
    mirror.assert_copied(set(&mirror, "large", 3, 100_000));
    let of_large = line.lost() - of_small;
    assert!(of_large > 10, "{of_large} frames were lost");

    line.set_delay(Duration::from_millis(150));
    let keys = set(&mirror, "farther", 2, 200_000);
    let of_farther = line.lost() - of_large - of_small;
    assert!(of_farther > 20, "{of_farther} frames were lost");
    let reason = "what production has yet to get is taken for a lost copy after 200 ms";
    to_fail(reason, "keys are missing on the new server", || mirror.assert_copied(&keys));
}
