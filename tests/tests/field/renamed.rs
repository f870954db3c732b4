//! The old host's interface gets another name while the mirror runs: it is the same attachment, by whatever name.

use std::net::UdpSocket;

use mirror_tests::{
    Host,
    client::{frame, udp},
    mirror::{Mirror, PORT},
};

const INCREMENTS: u16 = 50;

/// Renames an interface of this host. Older kernels do so only while it is down.
fn rename(host: &Host, from: &str, to: &str) {
    host.ip(&["link", "set", from, "down"]);
    host.ip(&["link", "set", from, "name", to, "up"]);
}

/// What is attached, by directory.
fn places(host: &Host) -> Vec<String> {
    let Ok(found) = std::fs::read_dir(host.bpffs().join("mirror-agent")) else { return vec![] };
    let mut names: Vec<String> =
        found.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Sends a request by UDP and waits for production's reply.
fn ask(socket: &UdpSocket, id: u16, request: &str) {
    socket.send(&frame(id, 1, request.as_bytes())).expect("a datagram can be sent");
    socket.recv(&mut [0; 1500]).expect("production replies");
}

#[test]
fn it_is_managed_by_its_new_name() {
    let mirror = Mirror::running();
    let mut client = mirror.connect();
    client.set("before", b"value");
    rename(&mirror.old, "eth0", "lan0");
    client.set("behind", b"value");
    mirror.new.settled("target");
    mirror.assert_copied(["before", "behind"]);

    for verb in ["status", "stats", "status lan0", "status eth0"] {
        let shown = mirror.old.agent_ok(verb);
        assert!(!shown.contains("gone") && shown.contains("attached as eth0"), "{verb}: {shown}");
        assert!(shown.lines().any(|line| line.trim_start().starts_with("lan0")), "{verb}: {shown}");
    }

    // Nothing is attached twice: a counter that is incremented by UDP would show it.
    let map = format!("--map {PORT}={}:{PORT}", mirror.new.v4());
    let said = mirror.old.agent_ok(&format!("attach lan0 {map}"));
    assert!(said.contains("lan0: nothing changed"), "{said}");
    let said = mirror.old.agent_ok(&format!("attach eth0 {map} --rate-limit 1gbit"));
    assert!(said.starts_with("lan0: changed"), "{said}");
    mirror.old.agent_ok(&format!("map add lan0 --map 7={}:7", mirror.new.v4()));
    assert_eq!(places(&mirror.old), ["eth0"]);
    let socket = udp(&mirror.client, mirror.old.v4(), PORT);
    ask(&socket, 0, "set n 0 0 1\r\n0\r\n");
    (1..=INCREMENTS).for_each(|id| ask(&socket, id, "incr n 1\r\n"));
    mirror.new.settled("target");
    mirror.assert_same(["n"]);

    let said = mirror.old.agent_ok("detach eth0");
    assert!(said.starts_with("lan0: source detached"), "{said}");
    assert_eq!(places(&mirror.old), Vec::<String>::new());
    client.set("after", b"value");
    assert_eq!(mirror.new_server.inside(&mirror.new).get("after"), None);
}

#[test]
fn a_new_interface_by_the_old_name_is_another() {
    let mut mirror = Mirror::running();
    rename(&mirror.old, "eth0", "lan0");
    mirror.lab.second_interface(&mirror.old, "eth0");
    assert_eq!(mirror.old.agent("stats eth0").status.code(), Some(4));
    for verb in ["detach eth0", "map remove eth0 --map 7=10.0.0.5:7", "status eth0"] {
        let said = mirror.old.agent_refuses(verb);
        assert!(said.contains("is lan0 now"), "{verb}: {said}");
    }

    let said = mirror.old.agent_ok(&format!("attach eth0 --map 7={}:7", mirror.new.v4()));
    assert!(said.starts_with("eth0: attached"), "{said}");
    let second = format!("eth0 {}", mirror.old.interface_index("eth0"));
    assert_eq!(places(&mirror.old), ["eth0", &second]);
    let shown = mirror.old.agent_ok("status");
    assert!(shown.contains(&format!("eth0: 7={}:7", mirror.new.v4())), "{shown}");
    assert!(shown.contains(&format!("lan0: {PORT}={}:{PORT}", mirror.new.v4())), "{shown}");

    let said = mirror.old.agent_ok("detach eth0");
    assert!(said.starts_with("eth0: source detached") && !said.contains("lan0"), "{said}");
    let mut client = mirror.connect();
    client.set("key", b"value");
    mirror.new.settled("target");
    mirror.assert_copied(["key"]);
    mirror.old.agent_ok("detach lan0");
    assert_eq!(places(&mirror.old), Vec::<String>::new());
}
