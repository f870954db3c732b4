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
    Host,
    capture::Capture,
    client::Connection,
    containers::Containers,
    expected::to_fail,
    memcached::{self, Memcached},
    mirror::PORT,
    wait,
};

const KEYS: usize = 20;
const INVALID: &str = "a copy is a reset of a connection that connection tracking never saw";
const MISSING: &str = "keys are missing on the new server";

/// The new memcached, and where it and `drop` run.
type New<'a> = (&'a Memcached, &'a Host);

/// A new client sets keys with this name, of which all are copied and sent.
fn set(containers: &Containers, (_, new): New<'_>, name: &str) {
    let old = &containers.old.inside;
    let sent = || old.all_map_counters().values().map(|map| map["sent"]).sum::<u64>();
    let before = sent();
    let mut client = containers.connect();
    (0..KEYS).for_each(|key| client.set(&format!("{name}{key}"), b"value"));
    new.settled("target");
    assert!(sent() > before + KEYS as u64, "{name}: all was sent");
}

/// Panics unless the new memcached has what was set by this name.
fn assert_copied(containers: &Containers, new: New<'_>, name: &str) {
    let old = (&containers.old.server, &containers.old.inside);
    memcached::assert_copied(old, new, (0..KEYS).map(|key| format!("{name}{key}")));
}

/// Sends copies there instead of where they went.
fn send_to(containers: &Containers, target: IpAddr) {
    let target = SocketAddr::new(target, PORT);
    containers.old.inside.agent_ok(&format!("map set eth0 --map {PORT}={target}"));
}

#[test]
fn rules_of_hosts_that_forward() {
    let containers = Containers::idle();
    let (old, new) = (&containers.old, &containers.new);
    let new_server = (&new.server, &new.inside);
    let of_new = format!("tcp and (src host {} or src host {})", new.host.v4(), new.address());
    let at_client = Capture::start(containers.lab.switch(), "client", &of_new);
    new.inside.agent_ok(&format!("drop eth0 --port {PORT}"));
    containers.old.inside.agent_ok(&format!("attach eth0 --map {PORT}={}:{PORT}", new.address()));

    set(&containers, new_server, "no-filter");
    assert_copied(&containers, new_server, "no-filter");

    // A direct client is served at the port of the new container's host.
    Connection::open(&containers.old.host, new.host.v4(), PORT).set("real", b"value");
    send_to(&containers, new.host.v4());
    set(&containers, new_server, "port-of-host");
    let reason = "netfilter rewrites addresses of connections only, and a copy is a lone reset";
    to_fail(reason, MISSING, || assert_copied(&containers, new_server, "port-of-host"));
    send_to(&containers, new.address());

    old.reverse_path(1);
    set(&containers, new_server, "strict-reverse-path");
    let reason = "copies come from a container and have a client's address, whose way is another";
    to_fail(reason, MISSING, || assert_copied(&containers, new_server, "strict-reverse-path"));

    old.reverse_path(2);
    new.reverse_path(2);
    set(&containers, new_server, "loose-reverse-path");
    assert_copied(&containers, new_server, "loose-reverse-path");

    containers.refuse_invalid();
    set(&containers, new_server, "stateful");
    to_fail(INVALID, MISSING, || assert_copied(&containers, new_server, "stateful"));

    containers.leave_copies_untracked();
    set(&containers, new_server, "untracked");
    assert_copied(&containers, new_server, "untracked");

    // Clients' own resets are none of that: an exemption for the port on all addresses would keep them from production.
    let mut client = containers.connect();
    client.set("reset", b"value");
    client.reset();
    wait::until("production to have no connection", || {
        (old.server.clients(&old.inside) == 0).then_some(())
    });

    // Attached where memcached's sockets are, the mirror ends the connections that it made.
    let mut client = containers.connect();
    client.set("last", b"value");
    new.inside.settled("target");
    assert!(new.server.clients(&new.inside) > 0, "the client's connection is mirrored");
    old.inside.agent_ok("detach eth0");
    new.inside.agent_ok("detach eth0");
    assert_eq!(new.server.clients(&new.inside), 0, "connections end with the mirror");
    client.set("after", b"value");
    assert_eq!(at_client.stop(), Vec::<String>::new(), "nothing reaches the client");
}

/// Both containers on one host: netfilter sees their packets where the host has it look at bridges.
#[test]
fn neighbours_on_one_bridge() {
    let mut containers = Containers::idle();
    let (new, target) = containers.old.neighbour(&mut containers.lab);
    let server = Memcached::start(&new, PORT);
    let new_server = (&server, &new);
    new.agent_ok(&format!("drop eth0 --port {PORT}"));
    containers.old.inside.agent_ok(&format!("attach eth0 --map {PORT}={target}:{PORT}"));
    containers.old.refuse_invalid();

    containers.old.filter_bridged(false);
    set(&containers, new_server, "bridged");
    assert_copied(&containers, new_server, "bridged");

    containers.old.filter_bridged(true);
    set(&containers, new_server, "filtered");
    to_fail(INVALID, MISSING, || assert_copied(&containers, new_server, "filtered"));

    containers.old.leave_copies_untracked(target);
    set(&containers, new_server, "untracked");
    assert_copied(&containers, new_server, "untracked");
}
