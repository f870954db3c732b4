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
    time::{Duration, Instant},
};

use mirror_tests::{
    Host,
    capture::Capture,
    client::Connection,
    containers::Containers,
    mirror::{Mirror, PORT},
    wait,
};

const CLIENTS: usize = 6;
const LARGE: usize = 400_000;
/// For how long clients go on afterwards.
const AFTERWARDS: Duration = Duration::from_millis(700);

/// Clients get a large value over and over, and when replies of the new host's are on their way, it leaves.
fn leave(new: &Host, connect: &(dyn Fn() -> Connection + Sync)) {
    connect().set("large", &[b'x'; LARGE]);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let (mut client, start) = (connect(), Instant::now());
                // Or for as long as anybody waits.
                while !stop.load(Ordering::Relaxed) && start.elapsed() < 2 * wait::DEADLINE {
                    assert_eq!(client.get("large").map(|value| value.len()), Some(LARGE));
                }
            });
        }
        wait::until("large replies to be on their way", || {
            (new.counters("target")["acked_for_client"] > 100).then_some(())
        });
        new.agent_ok("detach eth0");
        thread::sleep(AFTERWARDS);
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
        leave(&mirror.new, &|| mirror.connect());
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
    leave(&new.host, &|| containers.connect());
    wait::until("no connection to be left", || {
        (new.server.clients(&new.inside) == 0).then_some(())
    });
    assert_eq!(at_client.stop(), Vec::<String>::new(), "nothing reaches the client");
}
