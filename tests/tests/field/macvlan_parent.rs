//! The new host's interface is the parent of a macvlan interface of the container that memcached runs in, as
//! where containers have addresses of the network.

use mirror_tests::{
    memcached::Memcached,
    mirror::{Mirror, PORT},
};
use nix::sys::signal::Signal;

use crate::large_values;

#[test]
fn large_values_behind_a_macvlan_parent() {
    let mut mirror = Mirror::idle();
    let container = mirror.lab.host("container");
    container.ip(&["link", "del", "eth0"]);
    mirror.new_server.signal(Signal::SIGKILL);
    let (name, netns) = (["name", "mv0"], ["netns", &container.namespace]);
    let link = [&["link", "add", "link", "eth0"][..], &name, &netns, &["type", "macvlan"]];
    mirror.new.ip(&link.concat());
    mirror.new.move_addresses(&container, "mv0");
    mirror.new_server = Memcached::start(&container, PORT);
    mirror.start();
    large_values::assert_mirrored(&mirror, &container);
}
