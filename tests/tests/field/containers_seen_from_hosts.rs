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
    memcached::{self, Memcached},
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
    assert!(kept == 0, "{kept} connections stay in the new memcached");
    assert_eq!(connections(old), CONNECTIONS, "production's connections go on");
    clients.iter_mut().for_each(|client| client.set("after", b"value"));
}

/// Nothing is copied, and that is said: at once where nothing listens at the host's port, and where something does, as
/// docker's proxy, by what happens.
#[test]
fn without_forwarded() {
    const REQUESTS: usize = 200;
    let containers = Containers::idle();
    let (old, new) = (&containers.old, &containers.new);
    new.host.agent_ok(&format!("drop eth0 --port {PORT}"));
    let map = format!("--map {PORT}={}:{PORT}", new.host.v4());
    let said = old.host.attach_warned(&map);
    assert!(said.contains("nothing listens") && said.contains("--forwarded"), "{said}");

    let _proxy = Memcached::start(&old.host, PORT);
    old.host.agent_ok(&format!("attach eth0 {map}"));
    let mut client = containers.connect();
    (0..REQUESTS).for_each(|key| client.set(&format!("key{key}"), b"value"));
    let source = old.host.settled("source");
    assert!(source["skipped_no_socket"] >= REQUESTS as u64, "{source:?}");
    let check = old.host.agent("status --check");
    let line = String::from_utf8_lossy(&check.stdout);
    assert_eq!(check.status.code(), Some(1), "{line}");
    assert!(line.contains("DEGRADED") && line.contains("--forwarded"), "{line}");
}
