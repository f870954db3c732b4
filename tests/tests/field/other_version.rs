//! A host on which another version of the agent attached: what it left can be seen, is in nobody's way, and goes when it
//! should.

use mirror_tests::{
    Host,
    expected::to_fail,
    mirror::{Mirror, PORT},
    version::{OTHER, estrange},
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
    const REASON: &str = "what attached is known from META only if its layout is this version's";
    let mut mirror = Mirror::running();
    let mut client = mirror.connect();
    client.set("key", b"value");
    mirror.settled();
    mirror.assert_copied(["key"]);

    estrange(&mirror.old, "source");
    assert_shown(&mirror.old);
    mirror.old.agent_ok("detach eth0");
    // Which takes longer than the end of connections.
    mirror.new.settled("target");
    let connections = mirror.new_server.clients(&mirror.new);
    to_fail(REASON, "1 connection of the new server is left", || {
        assert!(connections == 0, "{connections} connection of the new server is left");
    });

    estrange(&mirror.new, "target");
    assert_shown(&mirror.new);
    mirror.lab.second_interface(&mirror.new, "eth1");
    mirror.new.agent_ok(&format!("drop eth1 --port {PORT}"));
    mirror.new.agent_ok("detach eth0");
    let interfaces = mirror.new.output("ip", &["-br", "link", "show"]);
    let device = format!("mahold{}@", mirror.new.interface_index("eth0"));
    to_fail(REASON, "the hold device is left", || {
        assert!(!interfaces.contains(&device), "the hold device is left: {interfaces}");
    });
}
