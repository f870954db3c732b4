//! `compare` says the same of every pair of releases, by meta commands and by `gets`.

use mirror_tests::wait;
use serde_json::{Value, json};

use crate::speaker::{Server, Servers};

/// The document about a pair, and the exit code.
fn compare(servers: &Servers, old: &Server, new: &Server, options: &str) -> (Value, Option<i32>) {
    let host = servers.host.v4();
    let (old, new) = (format!("{host}:{}", old.port), format!("{host}:{}", new.port));
    let output = servers.operator.agent(&format!("compare {old}={new} --json {options}"));
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (document["pairs"][0].clone(), output.status.code())
}

fn say(servers: &Servers, server: &Server, requests: &str) {
    let mut connection = server.server.inside(&servers.host);
    connection.send(requests.as_bytes());
    connection.ask("mn\r\n", "MN\r\n");
}

/// Waits until a server lists all of its 501 items. It leaves out what it is just moving between its LRU lists, since
/// it was stored or read.
fn settled(servers: &Servers, server: &Server) {
    wait::until("a list of all", || {
        let verb = format!("keys {}:{}", servers.host.v4(), server.port);
        (servers.operator.agent_ok(&verb).lines().count() == 502).then_some(())
    });
}

/// Items with times, flags and values of every kind.
fn items() -> String {
    let items = (0..500).map(|n| {
        let (flags, ttl) = ([0, 7, u32::MAX][n % 3], [0, 5_000, 2_500_000][n % 3]);
        format!("set key:{n} {flags} {ttl} {n} noreply\r\n{}\r\n", "v".repeat(n))
    });
    items.collect::<String>() + "set n 0 0 3 noreply\r\n100\r\ndecr n 1 noreply\r\n"
}

#[test]
fn every_pair() {
    let servers = Servers::start(&[]);
    for server in &servers.all {
        say(&servers, server, &items());
        settled(&servers, server);
    }
    let all = &servers.all;
    let pairs = all.iter().flat_map(|old| all.iter().map(move |new| (old, new)));
    for (old, new) in pairs.filter(|(old, new)| old.port != new.port) {
        for options in ["--full", "--sample 1000", "--full --gets"] {
            let (pair, code) = compare(&servers, old, new, options);
            let about = format!("{:?}, {:?}, {options}: {pair}", old.release, new.release);
            assert_eq!(pair["keys"]["same"], 501, "{about}");
            assert_eq!((&pair["keys"]["compared"], code), (&json!(501), Some(0)), "{about}");
        }
    }

    let (old, new) = (&servers.all[0], &servers.all[servers.all.len() - 1]);
    say(&servers, new, "delete key:1 noreply\r\nset more 0 0 1 noreply\r\nx\r\n");
    say(&servers, new, "append key:2 0 0 1 noreply\r\nx\r\ntouch key:5 9000 noreply\r\n");
    for (old, new, missing, extra) in [(old, new, 1, 1), (new, old, 1, 1)] {
        for (options, ttl) in [("--full", 1), ("--full --gets", 0)] {
            settled(&servers, old);
            settled(&servers, new);
            let (pair, code) = compare(&servers, old, new, &format!("{options} --wait 1s"));
            let about = format!("{:?}, {:?}, {options}: {pair}", old.release, new.release);
            let keys = &pair["keys"];
            assert_eq!(
                (&keys["missing"], &keys["extra"]),
                (&json!(missing), &json!(extra)),
                "{about}"
            );
            assert_eq!((&keys["stale"], &keys["ttl"]), (&json!(1), &json!(ttl)), "{about}");
            assert_eq!((&pair["ttl_compared"], code), (&json!(ttl == 1), Some(11)), "{about}");
        }
    }
}
