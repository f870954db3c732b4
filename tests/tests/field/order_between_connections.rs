//! Two connections that write and delete the same keys, one after the other, while the new memcached stands still for a
//! moment; and deletes whose copies are lost. No miss brings such keys up to date.

use mirror_tests::{client::Connection, expected::to_fail, impair::Rates, mirror::Mirror};
use nix::sys::signal::Signal;

const KEYS: usize = 40;
const ROUNDS: usize = 5;

const REASON: &str = "connections are independent: nothing keeps an order between them";

fn names(kind: &str) -> Vec<String> {
    (0..KEYS).map(|key| format!("{kind}{key}")).collect()
}

fn delete(client: &mut Connection, key: &str) {
    assert_eq!(client.ask(format!("delete {key}\r\n"), "\r\n"), b"DELETED\r\n", "{key}");
}

/// Each key is stored by one connection, and then `change`d by the other: turn about, so that a server that has all of
/// one connection first is wrong half of the time, whichever it is.
fn in_turn(mirror: &Mirror, keys: &[String], change: impl Fn(&mut Connection, &str)) {
    let mut clients = [mirror.connect(), mirror.connect()];
    clients.iter_mut().for_each(|client| client.set("before", b"value"));
    mirror.settled();
    mirror.new_server.signal(Signal::SIGSTOP);
    for (number, key) in keys.iter().enumerate() {
        clients[number % 2].set(key, b"older");
        change(&mut clients[1 - number % 2], key);
    }
    mirror.new_server.signal(Signal::SIGCONT);
    mirror.caught_up();
}

#[test]
fn the_last_request_counts() {
    let mirror = Mirror::running();
    // Now and then all is in order, by chance.
    to_fail(REASON, "the new server holds an older value of", || {
        for round in 0..ROUNDS {
            let overwritten = names(&format!("overwritten{round}-"));
            in_turn(&mirror, &overwritten, |client, key| client.set(key, b"newer"));
            mirror.assert_none_stale(&overwritten);
        }
    });
    to_fail(REASON, "that were deleted", || {
        for round in 0..ROUNDS {
            let deleted = names(&format!("deleted{round}-"));
            in_turn(&mirror, &deleted, delete);
            mirror.assert_none_stale(&deleted);
        }
    });
    let deleted = names("lost");
    lose_deletes(&mirror, &deleted);
    to_fail("nothing compares the caches", "that were deleted", || {
        mirror.assert_none_stale(&deleted);
    });
}

/// Each key is stored, and then deleted: of the first half, copies are lost.
fn lose_deletes(mirror: &Mirror, keys: &[String]) {
    let mut client = mirror.connect();
    keys.iter().for_each(|key| client.set(key, b"value"));
    mirror.settled();
    mirror.assert_copied(keys);
    let mut network = mirror.impair(Rates { drop: 1.0, ..Rates::default() });
    let (lost, others) = keys.split_at(KEYS / 2);
    lost.iter().for_each(|key| delete(&mut client, key));
    mirror.old.settled("source");
    network.end();
    others.iter().for_each(|key| delete(&mut client, key));
    mirror.new.settled("target");
    assert!(network.done().dropped > 0, "{:?}", network.done());
}
