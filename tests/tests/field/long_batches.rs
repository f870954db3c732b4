//! Long requests on connections that are older than the mirror: thousands of keys in a line, hundreds of quiet requests
//! before one that is answered. Of each connection, the first such batch may be lost.

use mirror_tests::{
    client::{Connection, binary, set_request},
    expected::to_fail,
    mirror::Mirror,
};

const BATCHES: usize = 10;
const GETQ: u8 = 0x09;
const NOOP: u8 = 0x0a;
const SETQ: u8 = 0x11;
const REASON: &str = "the walk along a segment ends after so many steps";

/// What a client sends at once.
#[derive(Clone, Copy, Debug)]
enum Batch {
    /// A `get` of many keys, and a `set`.
    Line,
    /// Many `mg` that are answered by a hit only, a quiet `ms`, and `mn`.
    Meta,
    /// The same of the binary protocol.
    Binary,
}
use Batch::{Binary, Line, Meta};

impl Batch {
    /// Asks for so many keys that nobody has, and stores one.
    fn send(self, client: &mut Connection, count: usize, key: &str) {
        let keys = (0..count).map(|number| format!("some-key-{number}"));
        match self {
            Line => {
                let line: String = keys.map(|key| format!(" {key}")).collect();
                let requests = [format!("get{line}\r\n").into_bytes(), set_request(key, b"value")];
                assert_eq!(client.ask(requests.concat(), "STORED\r\n"), b"END\r\nSTORED\r\n");
            }
            Meta => {
                let lines: String = keys.map(|key| format!("mg {key} v q\r\n")).collect();
                let requests = format!("{lines}ms {key} 5 q\r\nvalue\r\nmn\r\n");
                assert_eq!(client.ask(requests, "MN\r\n"), b"MN\r\n");
            }
            Binary => {
                let mut requests: Vec<u8> =
                    keys.flat_map(|key| binary(GETQ, &[], &key, &[])).collect();
                requests.extend(binary(SETQ, &[0; 8], key, b"value"));
                requests.extend(binary(NOOP, &[], "", &[]));
                client.send(&requests);
                assert_eq!(client.read_binary().opcode, NOOP);
            }
        }
    }
}

/// A client's batches.
struct Row {
    batch: Batch,
    size: usize,
    /// Whether its segments arrive joined.
    joined: bool,
    /// Whether more than one of them is lost.
    fails: bool,
}

impl Row {
    /// What one of them stores.
    fn key(&self, number: usize) -> String {
        let Self { batch, size, joined, .. } = self;
        format!("{batch:?}-{size}-{joined}-{number}")
    }
}

#[test]
fn lose_one_batch_of_a_connection() {
    const SHORT: [(Batch, usize); 3] = [(Line, 60), (Meta, 60), (Binary, 60)];
    const LONG: [(Batch, usize); 4] = [(Line, 1_000), (Line, 5_000), (Meta, 400), (Binary, 500)];
    let row = |joined, fails| move |(batch, size)| Row { batch, size, joined, fails };
    let rows = LONG.map(row(false, false)).into_iter();
    let rows = rows.chain(SHORT.map(row(true, false))).chain(LONG.map(row(true, true)));
    let mirror = Mirror::idle();
    let mut rows: Vec<_> = rows.map(|row| (row, mirror.connect())).collect();
    mirror.start();
    for (row, client) in &mut rows {
        mirror.join_segments(row.joined);
        (0..BATCHES).for_each(|number| row.batch.send(client, row.size, &row.key(number)));
    }
    mirror.settled();
    let mut inside = [mirror.old_server.inside(&mirror.old), mirror.new_server.inside(&mirror.new)];
    for (row, _) in rows {
        let [old, new] = [0, 1].map(|server| {
            (0..BATCHES).filter(|number| inside[server].get(&row.key(*number)).is_some()).count()
        });
        assert_eq!(old, BATCHES, "production ran all");
        let Row { batch, size, joined, fails } = row;
        let judgement = || {
            let segments = if joined { "joined segments" } else { "segments" };
            assert!(
                new + 1 >= BATCHES,
                "{batch:?} of {size} in {segments}: {new} of {BATCHES} were run on the new host"
            );
        };
        if fails {
            to_fail(REASON, "in joined segments: ", judgement);
        } else {
            judgement();
        }
    }
}
