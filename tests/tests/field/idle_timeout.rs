//! A new memcached that closes idle connections earlier than the old one: between commands, so that nothing need
//! be lost.

use mirror_tests::{
    expected::to_fail,
    memcached::Memcached,
    mirror::{Mirror, PORT},
    wait,
};
use nix::sys::signal::Signal;

const KEYS: usize = 3;
const REASON: &str =
    "what is known of a connection is thrown away when the new memcached closes its side";

#[test]
fn a_connection_that_speaks_again() {
    let mut mirror = Mirror::idle();
    mirror.new_server.signal(Signal::SIGKILL);
    mirror.new_server = Memcached::start_with(&mirror.new, PORT, &["-o", "idle_timeout=1"]);
    mirror.start();
    let mut client = mirror.connect();
    let mut set = |name: &str| {
        (0..KEYS).for_each(|key| client.set(&format!("{name}{key}"), b"value"));
        mirror.settled();
        (0..KEYS).map(|key| format!("{name}{key}")).collect::<Vec<_>>()
    };
    mirror.assert_copied(set("before"));
    wait::until("the new memcached to close the idle connection", || {
        (mirror.new_server.clients(&mirror.new) == 0).then_some(())
    });
    let keys = set("behind");
    to_fail(REASON, "keys are missing on the new server", || mirror.assert_copied(&keys));
}
