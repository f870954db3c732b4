//! `attach`, `drop` and `guard` said again: what is not named stays, and what changes is said.

use mirror_tests::{Host, Lab, client::Connection, memcached::Memcached, mirror::Mirror, wait};
use serde_json::Value;

const PORT: u16 = 11211;
const OTHER: u16 = 11212;

/// What `status` says of the first attachment of a host.
fn attachment(host: &Host) -> Value {
    let document: Value =
        serde_json::from_str(&host.agent_ok("status --json")).expect("a JSON document");
    document["attachments"][0].clone()
}

/// Panics unless each of `lines` is a line of `said`.
fn assert_said(said: &str, lines: &[&str]) {
    for line in lines {
        assert!(said.lines().any(|one| one.trim() == *line), "no line {line}: {said}");
    }
}

#[test]
fn a_second_drop_adds_ports_and_ends_nothing() {
    let mirror = Mirror::idle();
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT} --magic 0x1234 --block-flush-all"));
    mirror.attach("--magic 0x1234");
    let mut client = mirror.connect();
    client.set("before", b"1");
    mirror.settled();
    let (before, age) = (mirror.new_server.clients(&mirror.new), attachment(&mirror.new));

    let said = mirror.new.agent_ok(&format!("drop eth0 --port {OTHER}"));
    assert_said(&said, &["port 11212 added", "port 11211-11212"]);
    assert!(!said.contains("magic") && !said.contains("flush_all"), "{said}");
    client.set("after", b"2");
    mirror.settled();
    assert_eq!(mirror.new_server.inside(&mirror.new).get("after"), Some(b"2".to_vec()));
    assert_eq!(mirror.new_server.clients(&mirror.new), before, "no connection ended");
    assert_eq!(attachment(&mirror.new)["attached_at"], age["attached_at"]);

    let said = mirror.new.agent_ok("drop eth0 --block-flush-all=no --magic 0x5678");
    assert_said(&said, &["flush_all blocked yes → no", "magic 0x1234 → 0x5678"]);
    let said = mirror.new.agent_ok("drop eth0 --source-mac 02:00:5e:10:00:01");
    let added = "source MAC address 02:00:5e:10:00:01 added";
    assert_said(&said, &[added, "copies taken from all → those allowed"]);
    let said = mirror.new.agent_ok("drop eth0 --port 11211");
    assert!(said.contains("nothing changed"), "{said}");
    let said = mirror.new.agent_refuses("drop eth0 --max-connections 1000");
    assert!(said.contains("262144 while this is attached"), "{said}");
}

#[test]
fn a_second_attach_adds_maps_and_keeps_what_was_chosen() {
    let mirror = Mirror::idle();
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT}-{OTHER} --magic 77"));
    mirror.attach("--magic 77 --sample 50% --for 24h --redundancy 2");
    let before = attachment(&mirror.old);

    let said = mirror.old.agent_ok(&format!("attach eth0 --map {OTHER}={}", mirror.new.v4()));
    assert_said(&said, &[&format!("map {OTHER}={}:{OTHER} added", mirror.new.v4())]);
    let after = attachment(&mirror.old);
    assert_eq!(after["maps"].as_array().map(Vec::len), Some(3), "{after}");
    for same in ["attached_at", "magic", "redundancy"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    assert_eq!(before["selection"]["sample_percent"], after["selection"]["sample_percent"]);
    assert!(after["selection"]["seconds_left"].as_u64().is_some_and(|left| left > 0), "{after}");

    // Connections that are not in the smaller sample are closed on the new host, and that is said.
    let mut clients: Vec<Connection> = (0..30).map(|_| mirror.connect()).collect();
    for client in &mut clients {
        client.set("key", b"value");
    }
    mirror.old.settled("source");
    mirror.new.settled("target");
    let said = mirror.old.agent_ok(&format!(
        "attach eth0 --map {PORT}={}:{PORT} --sample 0.0001% --magic 0x10",
        mirror.new.v4()
    ));
    assert_said(&said, &["sample 50% → 0.0001%", "magic 0x4d → 0x10"]);
    assert!(said.contains("targets were told to close"), "{said}");
}

#[test]
fn ports_come_and_go_while_a_target_serves() {
    let mirror = Mirror::idle();
    let second = Memcached::start(&mirror.new, OTHER);
    mirror.start();
    mirror.new.agent_ok(&format!("port add eth0 --port {OTHER},11300-11302"));
    assert_eq!(mirror.new.agent_ok("port list"), "eth0\n  port 11211-11212, 11300-11302\n");
    mirror.old.agent_ok(&format!("map add eth0 --map {OTHER}={}", mirror.new.v4()));
    let old_second = Memcached::start(&mirror.old, OTHER);
    let mut client = Connection::open(&mirror.client, mirror.old.v4(), OTHER);
    client.set("key", b"value");
    mirror.settled();
    assert_eq!(second.inside(&mirror.new).get("key"), Some(b"value".to_vec()));

    let idle = second.clients(&mirror.new);
    let said = mirror.new.agent_ok(&format!("port remove eth0 --port {OTHER}"));
    assert_said(&said, &["port 11212 removed", "1 mirrored connections of memcached's closed"]);
    wait::until("its connection to end", || (second.clients(&mirror.new) < idle).then_some(()));
    for (line, mentions) in [
        ("port remove eth0 --port 11999", "11999 is not a port that is there"),
        ("port remove eth0 --port 11211 --port 11300-11302", "use `detach`"),
        ("port add eth1 --port 1", "there is no interface eth1"),
        ("port list eth1", "no target is attached at eth1"),
    ] {
        let said = mirror.new.agent_refuses(line);
        assert!(said.contains(mentions), "{line}: {said}");
    }
    let said = mirror.old.agent_refuses("port add eth0 --port 1");
    assert!(said.contains("no target is attached at eth0"), "{said}");
    drop(old_second);
}

#[test]
fn servers_come_and_go_while_a_guard_is_there() {
    let mut lab = Lab::new();
    let host = lab.host("host");
    host.agent_ok("guard eth0 --server 10.0.0.5:11211");
    let said = host.agent_ok("guard eth0 --server 10.0.0.6:11211");
    assert_said(&said, &["server 10.0.0.6:11211 added", "10.0.0.5:11211"]);
    host.agent_ok("server add eth0 --server 10.0.0.7:11211");
    let said = host.agent_ok("server remove eth0 --server 10.0.0.5:11211,10.0.0.6:11211");
    assert_said(&said, &["server 10.0.0.5:11211 removed", "10.0.0.7:11211"]);
    assert_eq!(host.agent_ok("server list eth0"), "eth0\n  10.0.0.7:11211\n");
    let said = host.agent_refuses("server remove eth0 --server 10.0.0.7:11211");
    assert!(said.contains("use `detach`"), "{said}");
}
