//! Clients on the old host itself, whose requests no Ethernet interface sees: nothing can be copied, and `attach`
//! has to say so.

use std::{
    net::TcpListener,
    os::unix::net::{UnixListener, UnixStream},
};

use mirror_tests::{
    client::Connection,
    mirror::{Mirror, PORT},
    wait,
};

#[test]
fn attach_and_status_name_clients_of_the_host_itself() {
    let mirror = Mirror::idle();
    let own = [mirror.old.v4(), mirror.old.v6()];
    let mut clients = vec![mirror.old_server.inside(&mirror.old)];
    clients.extend(own.map(|address| Connection::open(&mirror.old, address, PORT)));
    // This one is mirrored.
    clients.push(mirror.connect());
    clients.iter_mut().for_each(|client| client.set("here", b"1"));
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT}"));
    let map = format!("--map {PORT}={}:{PORT}", mirror.new.v4());
    let count = format!("3 connections to port {PORT} are from this host itself");
    let [v4, v6] = own.map(|address| format!("{address}: 1"));
    mirror.old.assert_said(&map, &[&count, "127.0.0.1: 1", &v4, &v6, "`compare` finds it"]);

    drop(clients);
    wait::until("the connections to be gone", || {
        let said = mirror.old.notes().iter().any(|note| note.contains("this host itself"));
        (!said).then_some(())
    });
}

#[test]
fn a_unix_socket_of_the_server_is_named() {
    const OTHER: u16 = 11300;
    let mirror = Mirror::idle();
    let folder = std::env::temp_dir().join(&mirror.old.namespace);
    let path = folder.with_extension("socket");
    // memcached listens at one kind of socket only; other servers of its protocol at both.
    let (tcp, unix, client) = mirror.old.run(|| {
        let tcp = TcpListener::bind(("0.0.0.0", OTHER)).expect("a free port");
        let unix = UnixListener::bind(&path).expect("a free name");
        let client = UnixStream::connect(&path).expect("it listens");
        (tcp, unix, client)
    });
    let server = unix.accept().expect("a client");
    let map = format!("--map {OTHER}={}:{PORT}", mirror.new.v4());
    let name = format!("port {OTHER} listens at the unix socket {}, too", path.display());
    mirror.old.assert_said(&map, &[&name, "its 1 connection is not mirrored"]);
    drop((unix, client, server));
    assert!(!mirror.old.notes().iter().any(|note| note.contains("unix socket")));
    drop(tcp);
    std::fs::remove_file(&path).expect("the socket has a name");
}
