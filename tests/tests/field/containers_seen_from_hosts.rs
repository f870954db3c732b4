//! Both memcacheds in containers, and the mirror attached at their hosts: what arrives there is mirrored before
//! netfilter rewrites it, and opened before, too. memcached's sockets are in other namespaces.
//!
//! ```text
//!              ┌── attach ── DNAT ──▶ inside: old
//!   client ────┤ copies, to the new host's port
//!              └──▶ drop ─── DNAT ──▶ inside: new
//! ```

use mirror_tests::{
    containers::{Container, Containers},
    expected::to_fail,
    memcached,
    mirror::PORT,
};

const CONNECTIONS: usize = 10;
const KEYS: usize = 5;

/// How many connections of others a container's server has.
fn connections(container: &Container) -> usize {
    usize::try_from(container.server.clients(&container.inside)).expect("not many")
}

#[test]
fn connections_end_with_the_mirror() {
    let containers = Containers::idle();
    containers.refuse_invalid();
    let (old, new) = (&containers.old, &containers.new);
    new.host.agent_ok(&format!("drop eth0 --port {PORT}"));
    // The old server's sockets are in its container.
    let map = format!("{PORT}={}:{PORT}", new.host.v4());
    old.host.agent_ok(&format!("attach eth0 --forwarded --map {map}"));
    let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| containers.connect()).collect();
    for (i, client) in clients.iter_mut().enumerate() {
        (0..KEYS).for_each(|key| client.set(&format!("key{i}-{key}"), b"value"));
    }
    old.host.settled("source");
    new.host.settled("target");
    memcached::assert_same_items((&old.server, &old.inside), (&new.server, &new.inside));
    assert_eq!([old, new].map(connections), [CONNECTIONS; 2], "both have them");

    old.host.agent_ok("detach eth0");
    new.host.agent_ok("detach eth0");
    let kept = connections(new);
    let reason = "connections to end are looked for among the host's own sockets";
    to_fail(reason, "connections stay in the new memcached", || {
        assert!(kept == 0, "{kept} connections stay in the new memcached");
    });
    assert_eq!(connections(old), CONNECTIONS, "production's connections go on");
    clients.iter_mut().for_each(|client| client.set("after", b"value"));
}
