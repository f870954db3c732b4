//! Where an old host stands: somebody else's XDP program, a router before the new host, or nothing to speak of.

use mirror_tests::{
    foreign::Dispatcher,
    mirror::{Mirror, PORT},
};

/// A mirror of which nothing is to be said.
fn quiet() -> (Mirror, String) {
    let mirror = Mirror::idle();
    let options = format!("--map {PORT}={}:{PORT} --client 10.77.0.0/24", mirror.new.v4());
    (mirror, options)
}

#[test]
fn nothing_is_said_where_there_is_nothing_to_say() {
    let (mirror, options) = quiet();
    assert_eq!(mirror.old.attach_warned(&options), "");
    assert!(mirror.old.notes().is_empty());
}

#[test]
fn an_xdp_program_of_somebody_else_is_named_and_a_guard_is_not() {
    let (mirror, options) = quiet();
    mirror.old.agent_ok("guard eth0 --server 10.77.0.99:11211");
    assert_eq!(mirror.old.attach_warned(&options), "");
    mirror.old.agent_ok("detach eth0");
    let _program = Dispatcher::xdp(&mirror.old);
    mirror.old.assert_said(&options, &["the XDP program xdp_dispatcher (program ", "data_meta"]);
}

#[test]
fn a_router_before_the_new_host_is_named() {
    const BEHIND: &str = "192.0.2.5";
    let (mirror, options) = quiet();
    let router = mirror.new.v4().to_string();
    mirror.old.ip(&["route", "add", BEHIND, "via", &router]);
    let text = format!("{BEHIND} (by {router}) is behind a router");
    mirror.old.assert_said(&format!("{options} --map {PORT}={BEHIND}:{PORT}"), &[&text]);
}

#[test]
fn a_path_that_takes_less_than_the_clients_is_named() {
    let (mirror, options) = quiet();
    let new = mirror.new.v4().to_string();
    mirror.old.ip(&["route", "add", &new, "dev", "eth0", "mtu", "1400"]);
    let text = format!("the path to {new} takes 1400 bytes, eth0 takes 1500");
    mirror.old.assert_said(&options, &[&text, "are cut in several copies"]);
}

#[test]
fn detach_says_how_many_connections_were_told() {
    let (mirror, options) = quiet();
    mirror.old.attach_warned(&options);
    let mut clients: Vec<_> = (0..3).map(|_| mirror.connect()).collect();
    clients.iter_mut().for_each(|client| client.set("key", b"value"));
    let said = mirror.old.agent_ok("detach eth0");
    assert!(said.contains("targets were told to close 3 connections"), "{said}");
}
