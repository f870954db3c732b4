//! Clients on the old host itself, whose requests no Ethernet interface sees: nothing can be copied, and `attach`
//! has to say so.

use mirror_tests::{
    client::Connection,
    expected::to_fail,
    mirror::{Mirror, PORT},
};

const REASON: &str = "nothing looks at the connections that exist";

#[test]
fn attach_names_clients_of_the_host_itself() {
    let mirror = Mirror::idle();
    let mut clients = [
        mirror.old_server.inside(&mirror.old),
        Connection::open(&mirror.old, mirror.old.v4(), PORT),
    ];
    clients.iter_mut().for_each(|client| client.set("here", b"1"));
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT}"));
    let map = format!("{PORT}={}:{PORT}", mirror.new.v4());
    let output = mirror.old.agent(&format!("attach eth0 --map {map}"));
    assert!(output.status.success(), "it is a warning, and no more");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    to_fail(REASON, "attach does not name the client at", || {
        for address in ["127.0.0.1", &mirror.old.v4().to_string()] {
            assert!(said.contains(address), "attach does not name the client at {address}: {said}");
        }
    });
}
