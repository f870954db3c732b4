//! Programs and filters of somebody else before ours and behind, whose verdict is final: what ours would have kept
//! from the wire may not leave, and what they let in is mirrored.

use mirror_tests::{
    capture::Capture,
    client::{Connection, set_request},
    expected::to_fail,
    foreign::{Final, Refusing},
    mirror::{Mirror, PORT},
    wait,
};

const KEYS: usize = 10;

/// How programs are attached, ours and theirs.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Tcx,
    Clsact,
}
use By::{Clsact, Tcx};

impl By {
    fn option(self) -> &'static str {
        if self == Tcx { "" } else { "--hook clsact" }
    }
}

fn drop_at_the_new_host(mirror: &Mirror, by: By) {
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT} {}", by.option()));
}

/// What leaves the old host with the client's link-layer address as its source, where theirs comes first.
fn strange_frames(by: By) -> Vec<String> {
    let mirror = Mirror::idle();
    drop_at_the_new_host(&mirror, by);
    mirror.attach(by.option());
    let mut client = mirror.connect();
    client.set("before", b"value");
    mirror.settled();
    let filter = format!("ether src {}", mirror.client.mac());
    let strange = Capture::start_arriving(mirror.lab.switch(), "old", &filter);
    let _theirs = match by {
        Tcx => Final::tcx_egress(&mirror.old),
        Clsact => Final::clsact_egress(&mirror.old),
    };
    // Replies may be lost, as a switch that sees such frames takes the client to be where the old host is.
    client.send(&set_request("key", b"value"));
    let mut inside = mirror.old_server.inside(&mirror.old);
    wait::until("production to have the request", || inside.get("key"));
    mirror.old.settled("source");
    strange.stop()
}

fn assert_no_strange_frames(by: By) {
    let strange = strange_frames(by);
    let count = strange.len();
    assert!(
        strange.is_empty(),
        "{count} frames leave the old host with the client's address: {strange:?}"
    );
}

#[test]
fn before_the_source_by_tcx() {
    assert_no_strange_frames(Tcx);
}

#[test]
fn before_the_source_by_clsact() {
    assert_no_strange_frames(Clsact);
}

/// Clients set some keys.
fn set(mirror: &Mirror) {
    let mut clients: Vec<Connection> = (0..KEYS).map(|_| mirror.connect()).collect();
    for (key, client) in clients.iter_mut().enumerate() {
        client.set(&format!("key{key}"), b"value");
    }
    mirror.old.settled("source");
    mirror.new.settled("target");
    assert!(mirror.old.copied() >= KEYS as u64, "all was copied");
}

/// What comes before the target's program later, and lets replies out, is noticed: a handful leave, and then none.
fn assert_few_leak(by: By) {
    /// Eight connections, of each of which a SYN-ACK leaves, and what answers a reset.
    const HANDFUL: usize = 16;
    let mirror = Mirror::idle();
    drop_at_the_new_host(&mirror, by);
    let _theirs = match by {
        Tcx => Final::tcx_egress(&mirror.new),
        Clsact => Final::clsact_egress(&mirror.new),
    };
    mirror.attach("");
    let leaks = |mirror: &Mirror| {
        let at_client = mirror.watch("client");
        set(mirror);
        at_client.stop()
    };
    let first = leaks(&mirror);
    assert!((1..=HANDFUL).contains(&first.len()), "{} packets: {first:?}", first.len());
    let later = leaks(&mirror);
    assert!(later.is_empty(), "{} packets: {later:?}", later.len());
    let target = mirror.new.counters("target");
    assert!(target["reply_leaked"] > 0 && target["discarded_unanswered"] > 0, "{target:?}");
    let check = mirror.new.agent("status --check");
    assert_eq!(check.status.code(), Some(2), "{}", String::from_utf8_lossy(&check.stdout));
}

/// Connections that are open by then are given up, too.
#[test]
fn before_the_target_at_egress_while_connections_are_open() {
    /// What a connection's server may send before its client refuses it, for those that are first.
    const HANDFUL: usize = 16;
    let mirror = Mirror::running();
    let mut clients: Vec<Connection> = (0..KEYS).map(|_| mirror.connect()).collect();
    let mut again = |name: &str| {
        for (n, client) in clients.iter_mut().enumerate() {
            client.set(&format!("{name}-{n}"), b"value");
        }
    };
    again("before");
    mirror.settled();
    let _theirs = Final::tcx_egress(&mirror.new);
    let at_client = mirror.watch("client");
    again("first");
    mirror.settled();
    let first = at_client.stop();
    assert!((1..=HANDFUL).contains(&first.len()), "{} packets: {first:?}", first.len());
    let at_client = mirror.watch("client");
    (0..5).for_each(|n| again(&format!("later-{n}")));
    let target = mirror.settled().1;
    let later = at_client.stop();
    assert!(later.is_empty(), "{} packets: {later:?}; {target:?}", later.len());
    assert!(target["reply_leaked"] > 0 && target["discarded_unanswered"] > 0, "{target:?}");
}

#[test]
fn before_the_target_at_egress_by_tcx() {
    assert_few_leak(Tcx);
}

#[test]
fn before_the_target_at_egress_by_clsact() {
    assert_few_leak(Clsact);
}

/// What is there before is refused by name.
#[test]
fn there_before_the_target_was_attached() {
    let mirror = Mirror::idle();
    let theirs = Final::clsact_egress(&mirror.new);
    let drop = format!("drop eth0 --port {PORT} --hook clsact");
    let said = mirror.new.agent_refuses(&drop);
    assert!(said.contains("a filter of priority 1 at egress"), "{said}");
    mirror.new.shell("tc filter del dev eth0 egress");
    let tcx = Final::tcx_egress(&mirror.new);
    let said = mirror.new.agent_refuses(&drop);
    assert!(said.contains("a program by tcx at egress"), "{said}");
    std::mem::drop((theirs, tcx));
    mirror.new.agent_ok(&drop);
    mirror.new.agent_ok("detach eth0");
}

/// One that is there before makes room; one that comes later is named, since nothing arrives behind it.
#[test]
fn before_the_target_at_ingress() {
    let keys = |mirror: &Mirror| mirror.assert_copied((0..KEYS).map(|key| format!("key{key}")));
    let mirror = Mirror::idle();
    let theirs = Final::tcx_ingress(&mirror.new);
    mirror.start();
    set(&mirror);
    keys(&mirror);
    assert!(!mirror.new.agent_ok("status").contains("comes before"), "ours is first");
    drop(theirs);

    let theirs = Final::tcx_ingress(&mirror.new);
    let status = mirror.new.agent_ok("status");
    assert!(status.contains("at ingress comes before the mirror's: copies that"), "{status}");
    drop(theirs);
    let _theirs = Final::tcx_ingress(&mirror.old);
    let status = mirror.old.agent_ok("status");
    assert!(status.contains("at ingress comes before the mirror's: what it lets"), "{status}");
}

/// A source at the interface of a target sees copies before they are opened, and lets them be.
#[test]
fn beside_a_source() {
    for attach_first in [true, false] {
        let mirror = Mirror::idle();
        let attach = format!("attach eth0 --map {PORT}={}:{PORT}", mirror.client.v4());
        let _theirs = Final::tcx_ingress(&mirror.new);
        if attach_first {
            mirror.new.agent_ok(&attach);
        }
        drop_at_the_new_host(&mirror, Tcx);
        if !attach_first {
            mirror.new.agent_ok(&attach);
        }
        mirror.attach("");
        set(&mirror);
        mirror.assert_copied((0..KEYS).map(|key| format!("key{key}")));
        let source = mirror.new.counters("source");
        assert!(source["mirrored"] == 0, "a copy is not copied: {source:?}");
    }
}

#[test]
fn there_before_the_source_was_attached() {
    let mirror = Mirror::idle();
    let _theirs = [Final::tcx_ingress(&mirror.old), Final::tcx_egress(&mirror.old)];
    mirror.start();
    set(&mirror);
    mirror.assert_copied((0..KEYS).map(|key| format!("key{key}")));
}

#[test]
fn there_before_drop_at_egress() {
    let mirror = Mirror::idle();
    let _theirs = Final::tcx_egress(&mirror.new);
    let leaks = mirror.watch_leaks();
    mirror.start();
    set(&mirror);
    mirror.assert_copied((0..KEYS).map(|key| format!("key{key}")));
    leaks.assert_none();
}

#[test]
fn behind_ours_at_every_hook() {
    let mirror = Mirror::idle();
    let leaks = mirror.watch_leaks();
    mirror.start();
    let _theirs = [&mirror.old, &mirror.new].map(Final::behind);
    set(&mirror);
    mirror.assert_copied((0..KEYS).map(|key| format!("key{key}")));
    leaks.assert_none();
}

/// They refuse what ours have copied by then.
#[test]
fn behind_the_source_what_arrives_is_refused() {
    let mirror = Mirror::running();
    let mut client = mirror.connect();
    client.set("before", b"value");
    mirror.settled();
    let theirs = Refusing::behind_tcx_ingress(&mirror.old);
    let before = mirror.old.copied();
    client.send(&set_request("refused", b"value"));
    wait::until("the request to be copied", || (mirror.old.copied() > before).then_some(()));
    mirror.new.settled("target");
    assert!(mirror.old_server.inside(&mirror.old).get("refused").is_none(), "they refuse it");
    let held = mirror.new_server.inside(&mirror.new).get("refused");
    drop(theirs);
    to_fail("a copy is made before others refuse", "the new server holds what production", || {
        assert!(held.is_none(), "the new server holds what production never had");
    });
    // TCP sends it again, and production has it.
    wait::until("production to have it", || mirror.old_server.inside(&mirror.old).get("refused"));
}
