//! A host on which another version of the agent attached: what it left can be seen, is in nobody's way, goes when it
//! should, and is replaced when all settings are typed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mirror_tests::{
    Host,
    client::Connection,
    mirror::{Mirror, PORT},
    version::{OTHER, estrange, estrange_more, estrange_table},
    wait,
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
    for verb in ["attach eth0", "map add eth0 --map 7=10.77.0.99:7"] {
        let said = mirror.old.agent_refuses(verb);
        assert!(said.contains(&format!("another version ({OTHER})")), "{verb}: {said}");
        assert!(said.contains("or `mirror-agent detach eth0 --role source`"), "{verb}: {said}");
    }
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

/// Panics unless the agent replaces what the other version attached, and says so.
fn assert_replaced(host: &Host, arguments: &str) {
    let said = assert_succeeds(host, arguments);
    assert!(said.starts_with(&format!("eth0: was attached by {OTHER}; replaced\n")), "{said}");
    let status = host.agent_ok("status");
    assert!(!status.contains(OTHER), "{status}");
}

/// Sets keys by this name until one of them is on the new server: a connection is adopted at a request boundary.
fn assert_adopted(mirror: &Mirror, client: &mut Connection, name: &str) {
    (0..5).for_each(|n| client.set(&format!("{name}{n}"), b"value"));
    mirror.new.settled("target");
    mirror.assert_copied([format!("{name}4")]);
}

#[test]
fn it_is_replaced_in_place() {
    let mirror = Mirror::running();
    let mut client = mirror.connect();
    client.set("key", b"value");
    mirror.settled();
    let leaks = mirror.watch_leaks();

    estrange(&mirror.old, "source");
    let said = mirror.old.agent_refuses("attach eth0 --rate-limit 1gbit");
    assert!(said.contains("give --map"), "{said}");
    let map = format!("--map {PORT}={}:{PORT}", mirror.new.v4());
    assert_replaced(&mirror.old, &format!("attach eth0 {map}"));
    assert_adopted(&mirror, &mut client, "of-source");

    estrange(&mirror.new, "target");
    let said = mirror.new.agent_refuses("drop eth0");
    assert!(said.contains("give --port"), "{said}");
    assert_replaced(&mirror.new, &format!("drop eth0 --port {PORT}"));
    assert_adopted(&mirror, &mut client, "of-target");
    leaks.assert_none();

    mirror.client.agent_ok(&format!("guard eth0 --server {}:{PORT}", mirror.new.v4()));
    estrange(&mirror.client, "guard");
    let pin = mirror.client.bpffs().join("mirror-agent/eth0/guard/link_xdp");
    let link = || {
        let shown =
            mirror.client.output("bpftool", &["link", "show", "pinned", &pin.to_string_lossy()]);
        shown.split(':').next().map(ToOwned::to_owned)
    };
    let before = link();
    assert_replaced(&mirror.client, &format!("guard eth0 --server {}:{PORT}", mirror.new.v4()));
    assert_eq!(link(), before, "a program took the other's place");
}

/// Clients go on meanwhile: no reply of the new server gets out between the two versions.
#[test]
fn it_is_replaced_under_load() {
    const CLIENTS: usize = 8;

    let mirror = Mirror::running();
    let leaks = mirror.watch_leaks();
    let mut clients: Vec<Connection> = (0..CLIENTS).map(|_| mirror.connect()).collect();
    let (asked, ended) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for (number, client) in clients.iter_mut().enumerate() {
            let (asked, ended) = (&asked, &ended);
            scope.spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    client.set(&format!("key{number}"), &[b'x'; 3000]);
                    client.get(&format!("key{number}"));
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let go_on = || {
            let before = asked.load(Ordering::Relaxed);
            wait::until("clients to go on", || {
                (asked.load(Ordering::Relaxed) > before + 500).then_some(())
            });
        };
        go_on();
        estrange(&mirror.new, "target");
        assert_replaced(&mirror.new, &format!("drop eth0 --port {PORT}"));
        go_on();
        ended.store(true, Ordering::Relaxed);
    });
    for client in &mut clients {
        assert_adopted(&mirror, client, "behind");
    }
    leaks.assert_none();
}

/// Its table of connections has another layout: nobody could keep their replies from clients.
#[test]
fn a_target_whose_connections_cannot_be_ended_stays() {
    let mirror = Mirror::running();
    let mut client = mirror.connect();
    client.set("before", b"value");
    mirror.settled();
    let leaks = mirror.watch_leaks();
    estrange_more(&mirror.new, "target");
    estrange_table(&mirror.new, "target", "FLOWS");
    let said = mirror.new.agent_refuses(&format!("drop eth0 --port {PORT}"));
    assert!(said.contains("could not be ended"), "{said}");
    assert_shown(&mirror.new);
    client.set("behind", b"value");
    mirror.old.settled("source");
    mirror.assert_copied(["before", "behind"]);
    leaks.assert_none();
}
