//! The target's pins are lost, and with them all that was known of mirrored connections: their sockets are left in
//! memcached. The next `drop` ends them, and no direct client's.

use mirror_tests::{
    client::Connection,
    mirror::{Mirror, PORT},
};

const CONNECTIONS: usize = 5;

#[test]
fn drop_ends_them_and_no_direct_client() {
    let mirror = Mirror::running();
    let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| mirror.connect()).collect();
    clients.iter_mut().for_each(|client| client.set("key", b"value"));
    mirror.settled();
    let direct = || Connection::open(&mirror.client, mirror.new.v4(), PORT);
    let mut kept = vec![direct()];
    // As much like the synthetic client as a stack is by these switches.
    mirror.client.shell("echo 0 >/proc/sys/net/ipv4/tcp_timestamps");
    mirror.client.shell("echo 0 >/proc/sys/net/ipv4/tcp_sack");
    kept.push(direct());
    kept.iter_mut().for_each(|client| client.set("direct", b"value"));

    let pins = mirror.new.bpffs().join("mirror-agent");
    std::fs::remove_dir_all(&pins).unwrap_or_else(|error| panic!("{}: {error}", pins.display()));
    let said = mirror.new.agent_ok(&format!("drop eth0 --port {PORT}"));
    let line = format!("ended {CONNECTIONS} connections that an earlier mirror left");
    assert!(said.contains(&line), "{said}");
    kept.iter_mut().for_each(|client| client.set("after", b"value"));
    clients.iter_mut().for_each(|client| client.set("after", b"value"));
}
