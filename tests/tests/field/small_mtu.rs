//! Jumbo frames between clients and the old host, and usual ones on the way to the new host.
//!
//! ```text
//!   client ──9000──┬──9000── old
//!                  └──1500── new
//! ```

use mirror_tests::{expected::to_fail, mirror::Mirror};

const KEYS: usize = 10;
const REASON: &str =
    "copies are as large as what clients sent, whatever the way to the target takes";

#[test]
fn values_larger_than_frames_towards_the_new_host() {
    let mirror = Mirror::idle();
    mirror.set_mtu(9000);
    mirror.new.ip(&["link", "set", "eth0", "mtu", "1500"]);
    mirror.lab.switch().ip(&["link", "set", "new", "mtu", "1500"]);
    // The old host knows.
    let new = mirror.new.v4().to_string();
    mirror.old.ip(&["route", "add", &new, "dev", "eth0", "mtu", "1500"]);
    mirror.start();
    let mut clients = ["small", "large"].map(|name| (name, mirror.connect()));
    for key in 0..KEYS {
        for (name, client) in &mut clients {
            let size = if *name == "small" { 100 } else { 5000 };
            client.set(&format!("{name}{key}"), &vec![b'x'; size]);
        }
    }
    mirror.old.settled("source");
    mirror.new.settled("target");
    assert!(mirror.old.copied() >= 2 * KEYS as u64, "all was copied");
    mirror.assert_copied((0..KEYS).map(|key| format!("small{key}")));
    to_fail(REASON, "keys are missing on the new server", || {
        mirror.assert_copied((0..KEYS).map(|key| format!("large{key}")));
    });
}
