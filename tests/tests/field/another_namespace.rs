//! Two network namespaces of one machine, with the same BPF file system: what is attached in one is nothing that an agent
//! in the other changes.
//!
//! ```text
//!   client ──── eth0 ┐ network namespaces    eth0 ──── new
//!                    └─ one BPF file system ─┘
//! ```

use std::{os::unix::fs::MetadataExt as _, path::Path, process::Output};

use mirror_tests::{
    Host,
    mirror::{Mirror, PORT},
    wait,
};
use serde_json::json;

/// What it printed, on both streams.
fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).concat()
}

/// Panics unless the agent succeeds; returns what it said.
fn succeed(host: &Host, bpffs: &Path, arguments: &str) -> String {
    let output = host.agent_at(bpffs, arguments);
    let said = said(&output);
    assert!(output.status.success(), "mirror-agent {arguments}: {said}");
    said
}

#[test]
fn what_is_attached_there_is_left_alone() {
    let mirror = Mirror::running();
    let mut client = mirror.connect();
    client.set("before", b"value");
    mirror.settled();
    let (other, shared) = (&mirror.client, mirror.new.bpffs());
    let path = format!("/run/netns/{}", mirror.new.namespace);
    let number = std::fs::metadata(&path).expect("the namespace has a name").ino();

    for verb in [
        format!("drop eth0 --port {PORT}"),
        format!("port add eth0 --port {}", PORT + 1),
        "port list eth0".to_owned(),
        "detach eth0".to_owned(),
        "detach eth0 --role target".to_owned(),
    ] {
        let output = other.agent_at(shared, &verb);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{verb}: {said}");
        let belongs = format!("the target at eth0 belongs to another network namespace ({number})");
        assert!(said.contains(&belongs) && said.contains("--bpffs"), "{verb}: {said}");
        assert!(said.contains(&format!("`nsenter --net={path} mirror-agent …`")), "{verb}: {said}");
    }
    for verb in ["status", "stats", "status eth0"] {
        let shown = succeed(other, shared, verb);
        assert!(shown.contains(&format!("in another network namespace ({number})")), "{shown}");
        assert!(shown.contains(" OK ") && !shown.contains("gone"), "{verb}: {shown}");
    }
    let document: serde_json::Value =
        serde_json::from_str(&succeed(other, shared, "status --json")).expect("JSON");
    let entry = &document["attachments"][0];
    assert_eq!(
        (&entry["state"], &entry["network_namespace"]),
        (&json!("other namespace"), &json!(number))
    );
    let check = succeed(other, shared, "status --check");
    assert!(check.starts_with("OK eth0 target: "), "{check}");

    // It has one of its own beside it, which is all that it takes off.
    succeed(other, shared, "guard eth0 --server 10.77.0.99:11211");
    let taken = succeed(other, shared, "detach --all");
    assert!(taken.contains("eth0: guard detached"), "{taken}");
    let left = format!(
        "left alone, as attached in other network namespaces: eth0 target (network namespace {number})"
    );
    assert!(taken.contains(&left), "{taken}");

    client.set("behind", b"value");
    mirror.settled();
    mirror.assert_copied(["before", "behind"]);
    mirror.new.agent_ok("detach eth0");
}

#[test]
fn what_is_left_of_one_that_is_gone_is_cleared() {
    let mut mirror = Mirror::idle();
    let shared = mirror.new.bpffs().to_owned();
    let pins = shared.join("mirror-agent");
    let end = |host: Host| {
        drop(host);
        wait::until("the namespace to end", || {
            mirror
                .new
                .agent_ok("status")
                .contains("is gone: detach clears what is left")
                .then_some(())
        });
    };
    let first = mirror.lab.host("first");
    succeed(&first, &shared, &format!("drop eth0 --port {PORT}"));
    succeed(&first, &shared, &format!("attach eth0 --map {PORT}=10.77.0.99:{PORT}"));
    end(first);
    assert_eq!(mirror.new.agent("status --check").status.code(), Some(2));
    let said = succeed(&mirror.new, &shared, &format!("drop eth0 --port {PORT}"));
    assert!(said.contains("clears what is left of an attachment in network namespace"), "{said}");
    assert!(said.contains("eth0: serves copies for port"), "{said}");
    succeed(&mirror.new, &shared, "detach --all");
    assert!(!pins.exists(), "all is taken off");
}
