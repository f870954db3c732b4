//! A new host that drops what comes by another card than its way back (`rp_filter=1`), copies' way among it.
//!
//! ```text
//!   client ─────┬────── eth0 ┐            the way to clients is eth0: at eth1, their packets are
//!   old ────────┤            │ new        dropped behind the mirror's programs
//!               └──▶─── eth1 ┘
//! ```

use mirror_tests::{
    capture::Capture,
    mirror::{Mirror, PORT},
    second,
};

const KEYS: usize = 20;

#[test]
fn drop_says_why_keys_do_not_arrive() {
    let mut mirror = Mirror::idle();
    let target = second::card(&mut mirror.lab, &mirror.new, "eth1");
    second::join(&mirror.old);
    mirror.new.shell("echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter");
    let output = mirror.new.agent(&format!("drop eth1 --port {PORT}"));
    assert!(output.status.success(), "drop succeeds: {output:?}");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    mirror.old.agent_ok(&format!("attach eth0 --map {PORT}={target}:{PORT}"));

    let at_client =
        Capture::start(mirror.lab.switch(), "client", &format!("src host {target} and tcp"));
    let mut client = mirror.connect();
    (0..KEYS).for_each(|key| client.set(&format!("key{key}"), b"value"));
    let (_, counters) = mirror.settled();
    assert!(counters["arrived"] > KEYS as u64, "all arrived: {counters:?}");
    assert_eq!(at_client.stop(), Vec::<String>::new(), "nothing reaches the client");
    // Which the kernel drops behind the programs, at the card of copies: that is known, and counted.
    assert!(counters["discarded_unanswered"] > 0, "{counters:?}");
    assert_eq!(mirror.new_server.clients(&mirror.new), 0, "connections of the new memcached");
    assert!(said.contains("rp_filter"), "drop says nothing of rp_filter: {said}");
}
