//! A host on which another version of the agent attached: what it left can be seen, is in nobody's way, and goes when it
//! should.

use mirror_tests::{
    Host,
    mirror::{Mirror, PORT},
    version::{OTHER, estrange, estrange_more, estrange_table},
};

/// Panics unless the agent succeeds; returns what it printed.
fn assert_succeeds(host: &Host, arguments: &str) -> String {
    let output = host.agent(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "mirror-agent {arguments} failed: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Panics unless it can be seen on this host what another version attached.
fn assert_shown(host: &Host) {
    for verb in ["status", "stats"] {
        let shown = assert_succeeds(host, verb);
        assert!(shown.contains(OTHER), "{shown}");
    }
}

#[test]
fn on_either_host() {
    let mut mirror = Mirror::running();
    let mut client = mirror.connect();
    client.set("key", b"value");
    mirror.settled();
    mirror.assert_copied(["key"]);

    estrange(&mirror.old, "source");
    assert_shown(&mirror.old);
    assert_gone(&mirror.old, "source", "");
    // Which takes longer than the end of connections.
    mirror.new.settled("target");
    let connections = mirror.new_server.clients(&mirror.new);
    assert!(connections == 0, "{connections} connection of the new server is left");

    estrange(&mirror.new, "target");
    assert_shown(&mirror.new);
    mirror.lab.second_interface(&mirror.new, "eth1");
    mirror.new.agent_ok(&format!("drop eth1 --port {PORT}"));
    assert_gone(&mirror.new, "target", "");
}

/// Of its notes, only what is frozen can be read.
#[test]
fn whatever_it_remembers() {
    let mirror = Mirror::running();
    let mut client = mirror.connect();
    client.set("key", b"value");
    mirror.settled();
    estrange_more(&mirror.old, "source");
    let attach = format!("attach eth0 --map {PORT}={}:{PORT}", mirror.new.v4());
    let said = mirror.old.agent_refuses(&attach);
    assert!(said.contains(&format!("another version ({OTHER})")), "{said}");
    assert!(said.contains("type `mirror-agent detach eth0 --role source`"), "{said}");
    assert_gone(&mirror.old, "source", "targets were not told");
    mirror.old.agent_ok(&attach);
    mirror.old.agent_ok("detach eth0");

    estrange_more(&mirror.new, "target");
    assert_gone(&mirror.new, "target", "");
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT}"));
    estrange_more(&mirror.new, "target");
    estrange_table(&mirror.new, "target", "FLOWS");
    assert_gone(&mirror.new, "target", "could not end memcached's sockets");
}

/// Takes it off, which the agent says, and a warning says what it could not do.
fn assert_gone(host: &Host, role: &str, warning: &str) {
    let output = host.agent(&format!("detach eth0 --role {role}"));
    let [said, warned] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{warned}");
    assert!(
        said.contains(&format!("eth0: {role} of version {OTHER} detached; it ran for ")),
        "{said}"
    );
    assert!(warned.contains(warning) && warned.is_empty() == warning.is_empty(), "{warned}");
    assert!(!host.bpffs().join("mirror-agent/eth0").exists(), "pins are left");
    let interfaces = host.output("ip", &["-br", "link", "show"]);
    let device = format!("mahold{}@", host.interface_index("eth0"));
    assert!(!interfaces.contains(&device), "the hold device is left: {interfaces}");
}
