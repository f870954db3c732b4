//! A link of the old host that is slower than its copies: production's replies wait behind them in one queue.
//!
//! ```text
//!   client ──── fast ────▶ old         100 kB
//!   client ◀─┐
//!   new    ◀─┼─ 5 Mbit/s ── old        8 bytes of a reply, and twice 100 kB of copies: 330 ms
//!   other  ◀─┘
//! ```
//!
//! Nobody runs `drop`: copies are on the wire all the same.

use std::time::{Duration, Instant};

use mirror_tests::{Lab, client::Connection, memcached::Memcached, mirror::PORT};

const REQUESTS: usize = 11;
const SIZE: usize = 100_000;
/// Well above what a request takes here, and well below what its copies take on the link.
const BETWEEN: Duration = Duration::from_millis(150);

/// The median of the times that large sets take.
fn median(client: &mut Connection) -> Duration {
    let mut times: Vec<Duration> = (0..REQUESTS)
        .map(|_| {
            let began = Instant::now();
            client.set("key", &vec![b'x'; SIZE]);
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[REQUESTS / 2]
}

fn assert_prompt(median: Duration, what: &str) {
    assert!(median < BETWEEN, "{what}: production waits {median:?} for a reply (median)");
}

#[test]
fn replies_and_copies_share_a_slow_link() {
    let mut lab = Lab::new();
    let [client, old, new, other] = ["client", "old", "new", "other"].map(|name| lab.host(name));
    let _server = Memcached::start(&old, PORT);
    // The client's segments are as on a wire.
    client.output("ethtool", &["-K", "eth0", "tso", "off", "gso", "off"]);
    old.shell("tc qdisc add dev eth0 root tbf rate 5mbit burst 20kb limit 2mb");
    let maps =
        [&new, &other].map(|target| format!("--map {PORT}={}:{PORT}", target.v4())).join(" ");
    let mut client = Connection::open(&client, old.v4(), PORT);
    assert_prompt(median(&mut client), "without a mirror");

    // A queue without bands serves copies like replies: that is said, with a limit that helps.
    let queue = "copies leave by eth0, whose queue (tbf, 5mbit) serves them like all else";
    old.assert_said(&maps, &[queue, "--rate-limit 1200kbit"]);
    let mirrored = median(&mut client);
    assert!(old.copied() > 60 * REQUESTS as u64, "copies are made");
    println!("with a mirror, production waits {mirrored:?} for a reply (median)");

    let said = old.attach_warned(&format!("{maps} --rate-limit 1200kbit"));
    assert!(!said.contains("whose queue"), "{said}");
    assert!(!old.notes().iter().any(|note| note.contains("whose queue")));
    assert_prompt(median(&mut client), "with a mirror of limited rate");
    let source = old.settled("source");
    assert!(source["skipped_rate_limit"] > 0, "{source:?}");
}

#[test]
fn queues_that_serve_replies_first_and_fast_links_are_not_spoken_of() {
    let mut lab = Lab::new();
    let [old, new] = ["old", "new"].map(|name| lab.host(name));
    let map = format!("--map {PORT}={}:{PORT}", new.v4());
    let speaks = || old.attach_warned(&map).contains("whose queue");
    // A pair of virtual interfaces says that it has 10 Gbit/s.
    assert!(!speaks());
    old.shell("tc qdisc add dev eth0 root pfifo limit 1000");
    assert!(!speaks());
    old.shell("tc qdisc replace dev eth0 root handle 1: tbf rate 5mbit burst 20kb limit 2mb");
    assert!(speaks());
    old.shell("tc qdisc add dev eth0 parent 1:1 pfifo_fast");
    assert!(!speaks(), "what has bands paces what the token bucket is given");
}
