//! The new host's interface is a port of a bridge that has the host's addresses, as on hosts of virtual
//! machines and containers.

use mirror_tests::mirror::Mirror;

use crate::large_values;

/// The new host's `eth0` becomes a port of a bridge, which is given `options`.
fn mirrored_behind_a_bridge(options: &[&str]) {
    let mirror = Mirror::idle();
    mirror.new.ip(&[&["link", "add", "bhost"], options, &["type", "bridge"]].concat());
    mirror.new.ip(&["link", "set", "eth0", "master", "bhost"]);
    mirror.new.move_addresses(&mirror.new, "bhost");
    mirror.start();
    large_values::assert_mirrored(&mirror, &mirror.new);
}

#[test]
fn large_values_behind_a_bridge() {
    mirrored_behind_a_bridge(&[]);
}

/// The stack's frames are then for an address that `eth0` does not have.
#[test]
fn large_values_behind_a_bridge_with_an_address_of_its_own() {
    mirrored_behind_a_bridge(&["address", "02:00:00:00:77:01"]);
}
