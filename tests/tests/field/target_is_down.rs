//! A new host that is down: the old one, or a router before the new one, tries to reach it, and clients hear nothing
//! of that.
//!
//! ```text
//!   client ──┬── old ──▶ who is new?                            no answer: ICMP to the sender, which
//!            └── router ──▶ who is new?      new (down)         for a copy is the client
//! ```

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use mirror_tests::{
    Family, Host,
    capture::{Capture, ICMP_ERROR},
    client::Connection,
    departures::Departures,
    expected::to_fail,
    load::Load,
    mirror::{Mirror, PORT},
    router::Router,
    wait,
};

/// How often the new host is looked for in vain.
const TIMES: usize = 3;
const LONG: Duration = Duration::from_secs(10);

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
    assert_eq!(errors, Vec::<String>::new(), "nothing reaches the client");
}

/// However long that takes, and whoever asks: clients work on, and the new host comes back.
#[test]
fn for_ten_seconds_of_load() {
    let mirror = Mirror::running();
    be_impatient(&mirror.old, "eth0");
    go_down(&mirror);
    let at_client = Capture::start(mirror.lab.switch(), "client", ICMP_ERROR);
    let departures = Departures::of_old(&mirror, &["eth0"]);
    let before = mirror.old.all_map_counters();
    Load::during(&mirror, |load| {
        let start = Instant::now();
        while start.elapsed() < LONG {
            // Not the clients: an impatient host gives them up as well, and its own replies with them.
            for new in Family::BOTH.map(|family| mirror.new.address(family).to_string()) {
                mirror.old.ip(&["neigh", "flush", "to", &new, "dev", "eth0"]);
            }
            load.more(50);
            sleep(Duration::from_millis(500));
        }
    });
    let seen = departures.stop();
    assert_eq!(at_client.stop(), Vec::<String>::new(), "nothing reaches the client");
    seen.assert_none_wrong();
    mirror.old.settled("source");
    for (map, counters) in mirror.old.all_map_counters() {
        let more = |name: &str| counters[name] - before[&map][name];
        assert!(
            more("copies") > 0 && more("unsent") + seen.copied() >= more("copies"),
            "{map}: {counters:?}"
        );
        assert!(more("unsent") > 0, "{map}: {counters:?}");
    }
    let status = mirror.old.agent_ok("status");
    assert!(status.contains("next hop"), "status does not say why: {status}");

    mirror.new.ip(&["link", "set", "eth0", "up"]);
    mirror.new.ip(&["addr", "add", &format!("{}/64", mirror.new.v6()), "dev", "eth0", "nodad"]);
    sleep(Duration::from_secs(1));
    for family in Family::BOTH {
        // The first one asks who the new host is.
        Connection::open(&mirror.client, mirror.old.address(family), PORT).set("asks", b"value");
        sleep(Duration::from_millis(200));
        let mut client = Connection::open(&mirror.client, mirror.old.address(family), PORT);
        client.set(&format!("back-{family:?}"), b"value");
        mirror.old.settled("source");
        mirror.new.settled("target");
        mirror.assert_copied([format!("back-{family:?}")]);
    }
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
