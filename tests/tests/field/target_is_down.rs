//! A new host that is down: the old one, or a router before the new one, tries to reach it, and clients hear nothing
//! of that.
//!
//! ```text
//!   client ──┬── old ──▶ who is new?                            no answer: ICMP to the sender, which
//!            └── router ──▶ who is new?      new (down)         for a copy is the client
//! ```

use mirror_tests::{
    Family, Host,
    capture::{Capture, ICMP_ERROR},
    client::Connection,
    expected::to_fail,
    mirror::{Mirror, PORT},
    router::Router,
    wait,
};

/// How often the new host is looked for in vain.
const TIMES: usize = 3;

/// Has a host give up neighbours at `interface` that do not answer at once.
fn be_impatient(host: &Host, interface: &str) {
    for family in ["ipv4", "ipv6"] {
        let neighbours = format!("/proc/sys/net/{family}/neigh/{interface}");
        host.shell(&format!("cd {neighbours}; echo 1 >mcast_solicit; echo 100 >retrans_time_ms"));
    }
}

/// What arrives at the client while the new host is down, and `last`, the last host before it, looks for it at
/// `interface`.
fn errors_at_the_client(mirror: &Mirror, last: &Host, interface: &str) -> Vec<String> {
    let mut clients = Family::BOTH.map(|family| {
        let new = mirror.new.address(family).to_string();
        (new, Connection::open(&mirror.client, mirror.old.address(family), PORT))
    });
    let at_client = Capture::start(mirror.lab.switch(), "client", ICMP_ERROR);
    for (new, client) in &mut clients {
        // Known or not, it is looked for anew.
        let _ = last.shell(&format!("ip neigh del {new} dev {interface} || true"));
        for _ in 0..TIMES {
            client.set("key", b"value");
            wait::until("the new host to be given up", || {
                let neighbour = last.output("ip", &["neigh", "show", "to", new]);
                neighbour.contains("FAILED").then_some(())
            });
        }
    }
    at_client.stop()
}

fn go_down(mirror: &Mirror) {
    mirror.connect().set("before", b"1");
    mirror.settled();
    mirror.new.ip(&["link", "set", "eth0", "down"]);
}

/// The client hears of it by both protocols, which is known.
fn assert_marked(reason: &str, errors: &[String]) {
    for protocol in ["ICMP ", "ICMP6"] {
        let errors: Vec<_> = errors.iter().filter(|line| line.contains(protocol)).collect();
        to_fail(reason, "ICMP errors at the client", || {
            assert!(errors.is_empty(), "{} ICMP errors at the client: {errors:?}", errors.len());
        });
    }
}

#[test]
fn on_the_same_link() {
    let mirror = Mirror::running();
    be_impatient(&mirror.old, "eth0");
    go_down(&mirror);
    let errors = errors_at_the_client(&mirror, &mirror.old, "eth0");
    let maps = mirror.old.all_map_counters();
    assert!(maps.values().all(|map| map["unsent"] > 0), "{maps:?}");
    let reason = "copies have clients' addresses, to whom the kernel says that there is no way";
    assert_marked(reason, &errors);
}

#[test]
fn behind_a_router() {
    let mut mirror = Mirror::idle();
    let router = Router::before_new(&mut mirror);
    mirror.start();
    be_impatient(&router.host, "eth1");
    go_down(&mirror);
    let errors = errors_at_the_client(&mirror, &router.host, "eth1");
    let reason = "copies have clients' addresses, to whom the router says that there is no way";
    assert_marked(reason, &errors);

    router.be_silent();
    let errors = errors_at_the_client(&mirror, &router.host, "eth1");
    assert_eq!(errors, Vec::<String>::new(), "nothing reaches the client");
}
