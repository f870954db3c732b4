//! Client libraries and the protocol's own test suite, against production while it is mirrored.

use mirror_tests::{agent::lost, mirror::Mirror, mirror::PORT};

#[test]
fn memccapable_passes_and_the_new_server_ends_up_the_same() {
    let mirror = Mirror::idle();
    // It sets the verbosity, too.
    mirror.new.agent_ok(&format!("drop eth0 --port {PORT} --allow-admin-commands"));
    mirror.attach("");
    let wire = mirror.watch_new();
    let port = PORT.to_string();
    let said = mirror
        .client
        .output("memccapable", &["-h", &mirror.old.v4().to_string(), "-p", &port, "-t", "5"]);
    assert!(said.contains("[pass]") && !said.contains("[FAIL]"), "{said}");
    mirror.assert_all_applied(wire);
    mirror.assert_same_counts(&[]);
    mirror.assert_same_items();
}

#[test]
fn pymemcache_works_and_the_new_server_ends_up_the_same() {
    const SCRIPT: &str = "
import sys
from pymemcache.client.base import Client
client = Client((sys.argv[1], int(sys.argv[2])))
for i in range(200):
    assert client.set(f'py{i}', f'value {i}' * 50, noreply=False)
client.set_many({f'many{i}': 'x' * i for i in range(200)}, noreply=False)
assert len(client.get_many([f'many{i}' for i in range(200)])) == 200
for i in range(100):
    client.delete(f'py{i}', noreply=True)
value, token = client.gets('py150')
assert client.cas('py150', 'swapped', token, noreply=False)
assert client.add('py1', 'again', noreply=False)
assert not client.add('py1', 'not again', noreply=False)
client.close()
";
    let mirror = Mirror::running();
    let server = mirror.old.v4().to_string();
    mirror.client.output("/usr/bin/python3", &["-c", SCRIPT, &server, &PORT.to_string()]);
    let (_, target) = mirror.settled();
    assert_eq!(lost(&target), 0, "{target:?}");
    mirror.assert_same_counts(&[]);
    assert_eq!(
        mirror.new_server.items(&mirror.new).len(),
        301,
        "of 400, 100 were deleted, one added"
    );
    mirror.assert_same_items();
}
