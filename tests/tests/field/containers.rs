//! Both memcacheds in containers, behind hosts that forward: the mirror is attached inside, where the container's own
//! packets are, and its copies cross both hosts.
//!
//! ```text
//!   client ──▶ host ──▶ inside: old              copies have the client's address, and come from cni0
//!              host ◀────────┘
//!                └────▶ host ──▶ inside: new     a reset of a connection that netfilter never saw
//! ```
//!
//! One lab tries the rules of one host after the other: most of a test's time is the kernel's, which verifies programs.

use std::net::{IpAddr, SocketAddr};

use mirror_tests::{
    capture::Capture, client::Connection, containers::Containers, expected::to_fail, memcached,
    mirror::PORT,
};

const KEYS: usize = 20;
const MISSING: &str = "keys are missing on the new server";

/// A new client sets keys with this name, of which all are copied and sent.
fn set(containers: &Containers, name: &str) {
    let old = &containers.old.inside;
    let sent = || old.all_map_counters().values().map(|map| map["sent"]).sum::<u64>();
    let before = sent();
    let mut client = containers.connect();
    (0..KEYS).for_each(|key| client.set(&format!("{name}{key}"), b"value"));
    old.settled("source");
    containers.new.inside.settled("target");
    assert!(sent() > before + KEYS as u64, "{name}: all was sent");
}

/// Panics unless the new container has what was set by this name.
fn assert_copied(containers: &Containers, name: &str) {
    let (old, new) = (&containers.old, &containers.new);
    let keys = (0..KEYS).map(|key| format!("{name}{key}"));
    memcached::assert_copied((&old.server, &old.inside), (&new.server, &new.inside), keys);
}

/// Sends copies there instead of where they went.
fn send_to(containers: &Containers, target: IpAddr) {
    let target = SocketAddr::new(target, PORT);
    containers.old.inside.agent_ok(&format!("attach eth0 --map {PORT}={target}"));
}

#[test]
fn rules_of_hosts_that_forward() {
    let containers = Containers::idle();
    let (old, new) = (&containers.old, &containers.new);
    let of_new = format!("tcp and (src host {} or src host {})", new.host.v4(), new.address());
    let at_client = Capture::start(containers.lab.switch(), "client", &of_new);
    new.inside.agent_ok(&format!("drop eth0 --port {PORT}"));
    send_to(&containers, new.address());

    set(&containers, "no-filter");
    assert_copied(&containers, "no-filter");

    // A real client is served at the port of the new container's host.
    Connection::open(&containers.old.host, new.host.v4(), PORT).set("real", b"value");
    send_to(&containers, new.host.v4());
    set(&containers, "port-of-host");
    let reason = "netfilter rewrites addresses of connections only, and a copy is a lone reset";
    to_fail(reason, MISSING, || assert_copied(&containers, "port-of-host"));
    send_to(&containers, new.address());

    old.reverse_path(1);
    set(&containers, "strict-reverse-path");
    let reason = "copies come from a container and have a client's address, whose way is another";
    to_fail(reason, MISSING, || assert_copied(&containers, "strict-reverse-path"));

    old.reverse_path(2);
    new.reverse_path(2);
    set(&containers, "loose-reverse-path");
    assert_copied(&containers, "loose-reverse-path");

    containers.refuse_invalid();
    set(&containers, "stateful");
    let reason = "a copy is a reset of a connection that connection tracking never saw";
    to_fail(reason, MISSING, || assert_copied(&containers, "stateful"));

    containers.leave_copies_untracked();
    set(&containers, "untracked");
    assert_copied(&containers, "untracked");
    assert_eq!(at_client.stop(), Vec::<String>::new(), "nothing reaches the client");
}
