//! Connections that are older than the mirror, of clients that only send what is never answered (`noreply`, quiet
//! commands): a few requests may be lost until such a connection is joined, not all.

use mirror_tests::{
    client::{Connection, binary},
    expected::to_fail,
    mirror::Mirror,
};

const REQUESTS: usize = 100;
/// How many requests it may take to join a connection.
const FEW: usize = 10;
const NOOP: u8 = 0x0a;
const SETQ: u8 = 0x11;
const REASON: &str = "a boundary is proven by replies only";

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Speech {
    Text,
    Meta,
    Binary,
    Deletes,
}
use Speech::{Binary, Deletes, Meta, Text};

impl Speech {
    fn key(self, number: usize) -> String {
        format!("{self:?}{number}")
    }

    /// A request that memcached does not answer.
    fn quiet(self, number: usize) -> Vec<u8> {
        let key = self.key(number);
        match self {
            Text => format!("set {key} 0 0 5 noreply\r\nvalue\r\n").into_bytes(),
            Meta => format!("ms {key} 5 q\r\nvalue\r\n").into_bytes(),
            Binary => binary(SETQ, &[0; 8], &key, b"value"),
            Deletes => format!("delete {key} noreply\r\n").into_bytes(),
        }
    }

    /// Asks for something, so that all that was sent before was run.
    fn ask(self, client: &mut Connection) {
        match self {
            Binary => {
                client.send(&binary(NOOP, &[], "", b""));
                client.read_exact(24);
            }
            _ => assert_eq!(client.get("nothing"), None),
        }
    }
}

#[test]
fn requests_that_are_never_answered() {
    const ALL: [Speech; 4] = [Text, Meta, Binary, Deletes];
    let mirror = Mirror::idle();
    let mut clients = ALL.map(|speech| (speech, mirror.connect()));
    for (speech, client) in &mut clients {
        speech.ask(client);
    }
    for (server, host) in [(&mirror.old_server, &mirror.old), (&mirror.new_server, &mirror.new)] {
        let mut inside = server.inside(host);
        (0..REQUESTS).for_each(|number| inside.set(&Deletes.key(number), b"value"));
    }
    mirror.start();
    let mut witness = mirror.connect();
    for number in 0..REQUESTS {
        for (speech, client) in &mut clients {
            client.send(&speech.quiet(number));
        }
        // Behind whose reply the next requests are segments of their own.
        witness.set("witness", b"1");
    }
    for (speech, client) in &mut clients {
        speech.ask(client);
    }
    mirror.settled();
    let held = |inside: &mut Connection, speech: Speech| {
        (0..REQUESTS).filter(|number| inside.get(&speech.key(*number)).is_some()).count()
    };
    let lost = ALL.map(|speech| {
        let mut inside =
            [mirror.old_server.inside(&mirror.old), mirror.new_server.inside(&mirror.new)];
        let [old, new] = [0, 1].map(|i| held(&mut inside[i], speech));
        assert_eq!(old, if speech == Deletes { 0 } else { REQUESTS }, "production ran all");
        (speech, old.abs_diff(new))
    });
    to_fail(REASON, "requests were lost", || {
        let most = lost.iter().map(|(_, count)| count).max();
        assert!(most <= Some(&FEW), "more than {FEW} of {REQUESTS} requests were lost: {lost:?}");
    });
}
