//! A new host that is down: the old one tries to reach it, and clients hear nothing of that.

use mirror_tests::{
    capture::Capture,
    client::Connection,
    expected::to_fail,
    mirror::{Mirror, PORT},
    wait,
};

const REASON: &str = "copies have clients' addresses, to whom the kernel says that there is no way";

/// Has the old host give up neighbours that do not answer at once.
fn be_impatient(mirror: &Mirror) {
    for family in ["ipv4", "ipv6"] {
        let neighbours = format!("/proc/sys/net/{family}/neigh/eth0");
        let line = format!("cd {neighbours}; echo 1 >mcast_solicit; echo 100 >retrans_time_ms");
        mirror.old.shell(&line);
    }
}

fn errors_at_the_client(v6: bool) {
    let mirror = Mirror::running();
    be_impatient(&mirror);
    let (old, new) = if v6 {
        (mirror.old.v6(), mirror.new.v6().to_string())
    } else {
        (mirror.old.v4(), mirror.new.v4().to_string())
    };
    let mut client = Connection::open(&mirror.client, old, PORT);
    client.set("before", b"1");
    mirror.settled();
    const ERROR: &str = "(icmp and icmp[0] != 0 and icmp[0] != 8) or (icmp6 and ip6[40] < 128)";
    let at_client = Capture::start(mirror.lab.switch(), "client", ERROR);
    mirror.new.ip(&["link", "set", "eth0", "down"]);
    mirror.old.ip(&["neigh", "del", &new, "dev", "eth0"]);
    let mut given_up = 0;
    wait::until("the old host to give the new one up a few times", || {
        client.set("key", b"value");
        let neighbour = mirror.old.output("ip", &["neigh", "show", "to", &new]);
        given_up += u32::from(neighbour.contains("FAILED"));
        (given_up >= 3).then_some(())
    });
    let maps = mirror.old.all_map_counters();
    assert!(maps.values().any(|map| map["unsent"] > 0), "{maps:?}");
    let errors = at_client.stop();
    to_fail(REASON, "ICMP errors at the client", || {
        assert!(errors.is_empty(), "{} ICMP errors at the client: {errors:?}", errors.len());
    });
}

#[test]
fn over_ipv4() {
    errors_at_the_client(false);
}

#[test]
fn over_ipv6() {
    errors_at_the_client(true);
}
