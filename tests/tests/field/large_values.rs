//! Clients whose values are larger than any window.

use mirror_tests::{Host, agent::lost, client::Connection, memcached, mirror::Mirror};

const SIZE: usize = 900_000;
const CONNECTIONS: usize = 10;

/// Connections over IPv4 and IPv6 fetch large values, and store some behind that; checks that the new host
/// holds what the old one does, and sent nothing. `inside` is where the new server runs.
pub(crate) fn assert_mirrored(mirror: &Mirror, inside: &Host) {
    let leaks = mirror.watch_leaks();
    let address = |i: usize| if i.is_multiple_of(2) { mirror.old.v4() } else { mirror.old.v6() };
    let mut clients: Vec<Connection> = (0..CONNECTIONS)
        .map(|i| Connection::open(&mirror.client, address(i), mirror.port()))
        .collect();
    for (i, client) in clients.iter_mut().enumerate() {
        let value = vec![b'a' + i as u8; SIZE];
        client.set(&format!("first{i}"), &value);
        assert!(client.get(&format!("first{i}")) == Some(value), "first{i} of the old server");
    }
    // Until then nothing but the mirror's own acknowledgements has the new server's replies go on: each copy
    // that follows carries one, too.
    mirror.settled();
    for (i, client) in clients.iter_mut().enumerate() {
        client.set(&format!("small{i}"), b"value");
    }
    mirror.settled();
    let (old, new) = ((&mirror.old_server, &mirror.old), (&mirror.new_server, inside));
    memcached::assert_same(old, new, (0..CONNECTIONS).map(|i| format!("small{i}")));
    for (i, client) in clients.iter_mut().enumerate() {
        client.set(&format!("large{i}"), &vec![b'A' + i as u8; SIZE]);
    }
    let (_, target) = mirror.settled();
    assert_eq!(lost(&target), 0, "{target:?}");
    assert!(
        target["acked_for_client"] > CONNECTIONS as u64,
        "large replies are acknowledged: {target:?}"
    );
    memcached::assert_same_items(old, new);
    leaks.assert_none();
}
