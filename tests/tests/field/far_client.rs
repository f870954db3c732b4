//! A client that is far away, on a line that loses one of a hundred segments before they reach the old host: TCP sends
//! them again a round trip later, and production misses nothing.
//!
//! ```text
//!   client ──20 or 150 ms, 1 %──┬── old
//!                               └── new      has what arrived at old, in the order it did
//! ```

use std::time::Duration;

use mirror_tests::{client::Connection, expected::to_fail, long_line::Line, mirror::Mirror};

const CONNECTIONS: usize = 10;
const KEYS: usize = 3;
const LARGE: usize = 100_000;
const SMALL: usize = 500;

/// Connections, all at once, set values of this size; returns the keys.
fn set(mirror: &Mirror, name: &str, size: usize) -> Vec<String> {
    let mut clients: Vec<Connection> = (0..CONNECTIONS).map(|_| mirror.connect()).collect();
    let key = |i, n| format!("{name}{i}-{n}");
    std::thread::scope(|scope| {
        for (i, client) in clients.iter_mut().enumerate() {
            scope.spawn(move || {
                (0..KEYS).for_each(|n| client.set(&key(i, n), &vec![b'a' + n as u8; size]));
            });
        }
    });
    mirror.settled();
    (0..CONNECTIONS).flat_map(|i| (0..KEYS).map(move |n| key(i, n))).collect()
}

#[test]
fn values_of_a_far_client() {
    let mirror = Mirror::running();
    let line = Line::before_client(&mirror, Duration::from_millis(20));
    mirror.assert_copied(set(&mirror, "lossless", LARGE));

    // A request in one segment leaves no hole when it is lost: nothing comes behind it.
    line.lose_one_of(20);
    mirror.assert_copied(set(&mirror, "small", SMALL));
    let lost = line.lost();
    assert!(lost > 0, "none of the small requests was lost");

    line.lose_one_of(100);
    mirror.assert_copied(set(&mirror, "large", LARGE));
    let again = line.lost();
    assert!(again > lost + 10, "{again} frames were lost, {lost} of them before");

    line.set_delay(Duration::from_millis(150));
    let keys = set(&mirror, "farther", LARGE);
    assert!(line.lost() > again + 10, "{} frames were lost, {again} of them before", line.lost());
    let reason = "what production has yet to get is taken for a lost copy after 200 ms";
    to_fail(reason, "keys are missing on the new server", || mirror.assert_copied(&keys));
}
