//! `detach` on the new host while memcached answers: of what is on its way at that moment, nothing leaves, wherever
//! memcached's sockets are.
//!
//! ```text
//!   client ──▶ old                   gets large values all the time
//!               └─ copies ─▶ new     its memcached on the host, or behind DNAT in a container; detach
//! ```

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use mirror_tests::{
    capture::Capture,
    client::Connection,
    containers::Containers,
    mirror::{Mirror, PORT},
    wait,
};

const CLIENTS: usize = 6;
const LARGE: usize = 400_000;
/// How long replies are on their way before and after.
const WHILE: Duration = Duration::from_millis(700);

/// Clients get a large value over and over while `work` is done.
fn large_replies_while(connect: &(dyn Fn() -> Connection + Sync), work: impl FnOnce()) {
    connect().set("large", &[b'x'; LARGE]);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = connect();
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(client.get("large").map(|value| value.len()), Some(LARGE));
                }
            });
        }
        thread::sleep(WHILE);
        work();
        thread::sleep(WHILE);
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn memcached_on_the_host() {
    for hook in ["", "--hook clsact"] {
        let mirror = Mirror::idle();
        mirror.new.agent_ok(&format!("drop eth0 --port {PORT} {hook}"));
        mirror.attach("");
        let leaks = mirror.watch_leaks();
        large_replies_while(&|| mirror.connect(), || {
            let target = mirror.new.counters("target");
            assert!(target["acked_for_client"] > 100, "large replies are on their way: {target:?}");
            mirror.new.agent_ok("detach eth0");
        });
        wait::until("no connection to be left", || {
            (mirror.new_server.clients(&mirror.new) == 0).then_some(())
        });
        leaks.assert_none();
    }
}

/// A mirror of containers, attached at their hosts.
fn containers() -> Containers {
    let containers = Containers::idle();
    let new = &containers.new.host;
    new.agent_ok(&format!("drop eth0 --port {PORT}"));
    let map = format!("--map {PORT}={}:{PORT}", new.v4());
    containers.old.host.agent_ok(&format!("attach eth0 --forwarded {map}"));
    containers
}

#[test]
fn memcached_in_a_container() {
    let containers = containers();
    let new = &containers.new;
    let of_new = format!("tcp and (src host {} or src host {})", new.host.v4(), new.address());
    let at_client = Capture::start(containers.lab.switch(), "client", &of_new);
    large_replies_while(&|| containers.connect(), || {
        let target = new.host.counters("target");
        assert!(target["acked_for_client"] > 100, "large replies are on their way: {target:?}");
        new.host.agent_ok("detach eth0");
    });
    wait::until("no connection to be left", || {
        (new.server.clients(&new.inside) == 0).then_some(())
    });
    assert_eq!(at_client.stop(), Vec::<String>::new(), "nothing reaches the client");
}
