//! The old host's interface gets another name while the mirror runs.

use mirror_tests::mirror::Mirror;

#[test]
fn status_finds_the_interface() {
    let mirror = Mirror::running();
    let mut client = mirror.connect();
    client.set("before", b"value");
    // Older kernels rename an interface only while it is down.
    mirror.old.ip(&["link", "set", "eth0", "down"]);
    mirror.old.ip(&["link", "set", "eth0", "name", "lan0", "up"]);
    client.set("behind", b"value");
    mirror.new.settled("target");
    mirror.assert_copied(["before", "behind"]);
    let status = mirror.old.agent_ok("status");
    assert!(!status.contains("gone") && status.contains("called lan0"), "{status}");
}
