//! Keys that the old memcached has held since before the mirror, and that clients only read, or change in place.

use mirror_tests::{client::Connection, expected::to_fail, mirror::Mirror};

const KEYS: usize = 100;
const REASON: &str = "only what clients send is copied, not what the old cache holds already";

fn name(key: usize) -> String {
    format!("key{key}")
}

#[test]
fn arrive_like_others() {
    let mirror = Mirror::idle();
    let mut inside = mirror.old_server.inside(&mirror.old);
    (0..KEYS).for_each(|key| inside.set(&name(key), b"value"));
    for (key, value) in [("number", "100"), ("log", "a"), ("lock", "held")] {
        inside.set(key, value.as_bytes());
    }
    mirror.start();
    let mut client = mirror.connect();
    for _ in 0..4 {
        (0..KEYS)
            .for_each(|key| assert!(client.get(&name(key)).is_some(), "a hit on the old host"));
    }
    let ask = |client: &mut Connection, request: &str, reply: &str| {
        assert_eq!(String::from_utf8_lossy(&client.ask(request, "\r\n")), reply);
    };
    ask(&mut client, "incr number 1\r\n", "101\r\n");
    ask(&mut client, "append log 0 0 1\r\nb\r\n", "STORED\r\n");
    ask(&mut client, "add lock 0 0 4\r\nmine\r\n", "NOT_STORED\r\n");
    mirror.settled();
    to_fail(REASON, "100 of 100 keys are missing on the new server", || {
        mirror.assert_copied((0..KEYS).map(name));
    });
    let text = "2 of 3 keys are missing on the new server, 1 have another value";
    to_fail(REASON, text, || mirror.assert_copied(["number", "log", "lock"]));
}
