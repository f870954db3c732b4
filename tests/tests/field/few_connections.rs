//! A new memcached that takes few connections (`-c`): mirrored ones must not take the place of its own clients.

use std::io::{Read as _, Write as _};

use mirror_tests::{
    client::Connection,
    expected::to_fail,
    mirror::{Mirror, PORT},
    wait,
};

const LIMIT: &str = "120";
const MIRRORED: usize = 80;
const OWN: usize = 40;
const REASON: &str = "mirrored connections are connections like any others to memcached";

/// How many of some clients of the new server's are served: the others are told so, or nothing.
fn served(mirror: &Mirror) -> usize {
    let open = |_| Connection::open(&mirror.client, mirror.new.v4(), PORT);
    let mut clients: Vec<_> = (0..OWN).map(open).collect();
    let is_served = |client: &mut Connection| {
        let mut reply = [0; 5];
        let asked = client.stream.write_all(b"get nothing\r\n");
        asked.and_then(|()| client.stream.read_exact(&mut reply)).is_ok() && reply == *b"END\r\n"
    };
    clients.iter_mut().map(is_served).filter(|served| *served).count()
}

#[test]
fn real_clients_are_served() {
    let mut mirror = Mirror::idle();
    mirror.restart_new(&["-c", LIMIT]);
    assert_eq!(served(&mirror), OWN, "there is room for its own clients");
    let said = mirror.new.agent_ok(&format!("drop eth0 --port {PORT}"));
    assert!(said.contains("memcached takes 120 connections (-c)"), "{said}");
    mirror.attach("");
    let mut mirrored: Vec<_> = (0..MIRRORED).map(|_| mirror.connect()).collect();
    for (number, client) in mirrored.iter_mut().enumerate() {
        client.set(&format!("key{number}"), b"value");
    }
    mirror.settled();
    mirror.assert_copied((0..MIRRORED).map(|number| format!("key{number}")));
    let meanwhile = served(&mirror);
    mirrored.extend((0..OWN / 4).map(|_| mirror.connect()));
    for client in &mut mirrored {
        client.set("more", b"value");
    }
    mirror.settled();
    let status = mirror.new.agent_ok("status");
    assert!(status.contains("of 120 connections (-c): it refuses what is more"), "{status}");
    mirror.old.agent_ok("detach eth0");
    wait::until("the mirrored connections to end", || {
        (mirror.new_server.clients(&mirror.new) == 0).then_some(())
    });
    assert_eq!(served(&mirror), OWN, "after the mirror");
    to_fail(REASON, "real clients of the new server were served", || {
        assert!(
            meanwhile == OWN,
            "{meanwhile} of {OWN} real clients of the new server were served"
        );
    });
}
