//! Health, as the command line tells it: of a mirror that works, of one that loses, and of what is dead.

use mirror_tests::{
    Host,
    mirror::{Mirror, PORT},
    wait,
};
use serde_json::{Value, json};

/// What a verb says with `--json`; the envelope is checked.
fn document(host: &Host, verb: &str) -> Vec<Value> {
    let document: Value =
        serde_json::from_str(&host.agent_ok(&format!("{verb} --json"))).expect("one document");
    assert_eq!(document["schema"], 1, "{document}");
    assert!(document["time"].as_f64().is_some_and(|time| time > 1.7e9), "{document}");
    document["attachments"].as_array().expect("a list of attachments").clone()
}

/// Panics unless `status --check` says so, and ends like that.
fn assert_check(host: &Host, (code, begin, part): (i32, &str, &str)) {
    let output = host.agent("status --check");
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(code), "{line}");
    assert!(line.starts_with(&format!("{begin} ")) && line.contains(part), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
}

fn health(host: &Host) -> (String, String) {
    let of = |verb| {
        let found = document(host, verb);
        assert_eq!(found.len(), 1, "{found:?}");
        found[0]["health"].as_str().expect("a verdict").to_owned()
    };
    (of("stats"), of("status"))
}

fn same(verdict: &str) -> (String, String) {
    (verdict.to_owned(), verdict.to_owned())
}

#[test]
fn a_mirror_that_works_is_ok_on_both_hosts() {
    let mirror = Mirror::running();
    assert_check(&mirror.client, (3, "UNKNOWN", "nothing is attached"));
    assert_check(&mirror.old, (0, "OK", "eth0 source"));
    let mut client = mirror.connect();
    for number in 0..20 {
        client.set(&format!("key{number}"), b"value");
    }
    mirror.settled();

    for (host, role) in [(&mirror.old, "source"), (&mirror.new, "target")] {
        assert_eq!(health(host), same("ok"));
        assert_check(host, (0, "OK", role));
        let stats = &document(host, "stats")[0];
        assert_eq!((&stats["role"], &stats["state"]), (&json!(role), &json!("running")));
        assert_eq!((&stats["lost"], &stats["reasons"]), (&json!(0), &json!([])), "{stats}");
        assert_eq!(stats["done"], stats["due"], "{stats}");
        assert_eq!(stats["done_percent"], 100.0, "{stats}");
    }
    let source = &document(&mirror.old, "stats")[0];
    let map = &source["maps"][0];
    let target = format!("{}:{PORT}", mirror.new.v4());
    assert_eq!(
        (&map["local_port"], &map["local_addr"], &map["target"]),
        (&json!(PORT), &Value::Null, &json!(target))
    );
    assert!(map["counters"]["sent"].as_u64() >= Some(20), "{map}");
    let connections = &document(&mirror.new, "stats")[0]["connections"];
    assert_eq!((&connections["open"], &connections["total"]), (&json!(1), &json!(1)));

    let status = &document(&mirror.old, "status")[0];
    assert!(status["magic"].as_str().is_some_and(|magic| magic.starts_with("0x")), "{status}");
    assert_eq!(status["selection"]["dry_run"], false);
    assert_eq!(document(&mirror.old, "map list")[0]["maps"], status["maps"]);
    let status = &document(&mirror.new, "status")[0];
    assert_eq!(status["ports"], json!([{ "port": PORT, "listens": true }]));
    assert!(status["hold_queue"]["discipline"].is_string(), "{status}");

    // For people.
    let text = mirror.new.agent_ok("stats");
    assert!(text.contains("OK  ") && text.contains("1 open") && text.contains("100 %"), "{text}");
    let text = mirror.old.agent_ok("stats eth0");
    assert!(text.contains(&format!("run `mirror-agent stats` on {}", mirror.new.v4())), "{text}");
    assert!(mirror.new.agent_ok("stats --all").contains("discarded_unsynced"));
    assert!(mirror.new.agent_ok("status eth0").contains("OK"));
    let said = mirror.new.agent_refuses("status eth1");
    assert!(said.contains("nothing is attached to eth1"), "{said}");
    let rows = mirror.new.shell(&format!(
        "{} --bpffs {} stats --follow --interval 1 | head -12",
        mirror_tests::agent::binary().display(),
        mirror.new.bpffs().display()
    ));
    assert!(rows.contains("LAST MINUTE") && rows.contains("applied"), "{rows}");
}

#[test]
fn copies_for_a_port_that_is_not_served_are_lost() {
    let mirror = Mirror::idle();
    mirror.new.agent_ok("drop eth0 --port 11999");
    // The port that is served has no server, and nothing arrives: it may be started yet.
    assert_check(&mirror.new, (1, "DEGRADED", "nothing listens at port 11999"));
    mirror.attach("");
    let mut client = mirror.connect();
    client.set("key", b"value");
    let target = mirror.new.settled("target");
    assert!(target["discarded_port"] > 0, "{target:?}");

    let stats = &document(&mirror.new, "stats")[0];
    assert_eq!(stats["lost"], target["discarded_port"], "{stats}");
    assert_eq!(stats["losses"], json!({ "discarded_port": target["discarded_port"] }));
    assert_check(&mirror.new, (2, "DOWN", "port"));
    // What becomes of copies cannot be seen where they are made.
    assert_eq!(health(&mirror.old), same("ok"));
}

#[test]
fn copies_that_leave_no_more_are_lost() {
    let mirror = Mirror::running();
    let mut client = mirror.connect();
    client.set("key", b"value");
    mirror.settled();
    assert_check(&mirror.old, (0, "OK", "source"));
    // A next hop that answers no more.
    mirror.new.ip(&["link", "set", "eth0", "down"]);
    mirror.old.ip(&["neigh", "flush", "dev", "eth0"]);
    for number in 0..20 {
        client.set(&format!("key{number}"), b"value");
    }
    let stats = wait::until("copies to stay", || {
        let stats = document(&mirror.old, "stats")[0].clone();
        (stats["lost"].as_u64() >= Some(20)).then_some(stats)
    });
    assert_eq!(stats["lost"], stats["maps"][0]["counters"]["unsent"], "{stats}");
    assert_check(&mirror.old, (1, "DEGRADED", "unsent"));
    assert_eq!(health(&mirror.old), same("degraded"));
}

#[test]
fn another_magic_is_told_from_direct_clients() {
    let mirror = Mirror::idle();
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT} --magic 0x1234"));
    mirror.attach("");
    let mut client = mirror.connect();
    client.set("key", b"value");
    let target = mirror.new.settled("target");
    assert!(target["arrived_other_magic"] > 0, "{target:?}");
    assert_eq!((target["arrived"], target["direct_in"]), (0, 0), "{target:?}");
    assert_check(&mirror.new, (1, "DEGRADED", "other magic"));
}

#[test]
fn what_is_dead_says_so() {
    let mut mirror = Mirror::idle();
    mirror.lab.second_interface(&mirror.new, "eth1");
    mirror.new.agent_ok(&format!("drop eth1 --port {PORT}"));
    assert_check(&mirror.new, (0, "OK", "eth1 target"));
    mirror.new.ip(&["link", "set", "eth1", "down"]);
    assert_check(&mirror.new, (2, "DOWN", "the interface is down"));
    mirror.new.ip(&["link", "del", "eth1"]);
    assert_check(&mirror.new, (2, "DOWN", "the interface is gone"));
    assert_eq!(health(&mirror.new), same("down"));
    assert_eq!(document(&mirror.new, "status")[0]["state"], "interface gone");

    // A deadline that has passed is no fault, and nothing is mirrored.
    mirror.attach("--for 1s");
    let expired = wait::until("the deadline", || {
        let status = document(&mirror.old, "status")[0].clone();
        (status["state"] == "expired").then_some(status)
    });
    assert_eq!(
        (&expired["health"], &expired["selection"]["expired"]),
        (&json!("expired"), &json!(true))
    );
    assert_check(&mirror.old, (3, "UNKNOWN", "the deadline has passed"));
    let table = mirror.old.agent_ok("status");
    assert!(table.contains("EXPIRED") && table.contains("ago"), "{table}");

    // Half made.
    let meta = mirror.old.bpffs().join("mirror-agent/eth0/source/META");
    std::fs::remove_file(meta).expect("the pin is there");
    assert_check(&mirror.old, (2, "DOWN", "killed"));
    assert_eq!(document(&mirror.old, "stats")[0]["state"], "incomplete");
}

#[test]
fn a_server_that_is_gone_is_missed() {
    let Mirror {
        lab: _lab,
        client: from,
        old,
        new,
        new_server,
        old_server: _old_server,
        redundancy: _,
    } = Mirror::running();
    let mut client = mirror_tests::client::Connection::open(&from, old.v4(), PORT);
    client.set("key", b"value");
    assert_check(&new, (0, "OK", "target"));
    drop(new_server);
    wait::until("the verdict", || {
        let text = new.agent_ok("stats");
        (text.contains("DOWN") && text.contains(&format!("nothing listens at port {PORT}")))
            .then_some(())
    });
}

#[test]
fn counters_explain_themselves_to_everybody() {
    let mirror = Mirror::idle();
    let run = |name: &str| {
        let agent = mirror_tests::agent::binary();
        let command = format!(
            "setpriv --reuid 65534 --clear-groups {} stats --explain {name}",
            agent.display()
        );
        mirror.client.command("sh").args(["-c", &command]).output().expect("a shell")
    };
    let output = run("discarded_unsynced");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(text.contains("target, in segments, lost") && text.contains("boundary"), "{text}");
    let output = run("discarded_unsinced");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("did you mean discarded_unsynced?"), "{said}");
}
