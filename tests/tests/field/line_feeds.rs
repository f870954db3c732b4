//! Clients that end command lines by a line feed alone, which memcached takes, on connections older than the mirror.

use mirror_tests::{client::Connection, expected::to_fail, mirror::Mirror};

const REQUESTS: u64 = 20;
const REASON: &str = "the proof of a boundary asks for a carriage return before it";

#[test]
fn an_older_connection_is_joined() {
    let mirror = Mirror::idle();
    let mut client = mirror.connect();
    client.ask("get nothing\n", "END\r\n");
    for (server, host) in [(&mirror.old_server, &mirror.old), (&mirror.new_server, &mirror.new)] {
        server.inside(host).set("number", b"100");
    }
    mirror.start();
    for _ in 0..REQUESTS {
        client.ask("incr number 1\n", "\r\n");
    }
    mirror.settled();
    let number = |mut inside: Connection| {
        let value = inside.get("number").expect("it was stored");
        String::from_utf8_lossy(&value).trim().parse::<u64>().expect("a number") - 100
    };
    assert_eq!(number(mirror.old_server.inside(&mirror.old)), REQUESTS, "production counts");
    let run = number(mirror.new_server.inside(&mirror.new));
    to_fail(REASON, "requests were run on the new host", || {
        assert!(run + 2 >= REQUESTS, "{run} of {REQUESTS} requests were run on the new host");
    });
}
