//! Clients that speak MPTCP, to a memcached that does and to one that does not.

use mirror_tests::{
    agent::lost,
    client::Connection,
    memcached::Memcached,
    mirror::{Mirror, PORT},
};
use nix::sys::signal::Signal;

const SIZE: usize = 900_000;
const CONNECTIONS: usize = 3;
/// A further address of the client's, for further subflows.
const SECOND: &str = "10.77.0.200";

/// A value that is nothing but commands.
fn evil() -> Vec<u8> {
    (0..SIZE / 32).flat_map(|i| format!("set evil{i:010} 0 0 4\r\nevil\r\n").into_bytes()).collect()
}

/// Has the client use two subflows for each connection.
fn use_two_subflows(mirror: &Mirror) {
    mirror.client.ip(&["addr", "add", &format!("{SECOND}/24"), "dev", "eth0"]);
    mirror.client.ip(&["mptcp", "limits", "set", "subflow", "2"]);
    mirror.old.ip(&["mptcp", "limits", "set", "subflow", "2"]);
    mirror.client.ip(&["mptcp", "endpoint", "add", SECOND, "dev", "eth0", "subflow"]);
}

/// One of the kernel's counters of MPTCP (nstat(8)) on the client.
fn counted(mirror: &Mirror, name: &str) -> u64 {
    let line = mirror.client.shell(&format!("nstat -asz MPTcpExt{name} | tail -1"));
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

fn connect(mirror: &Mirror) -> Vec<Connection> {
    let open = || Connection::open_multipath(&mirror.client, mirror.old.v4(), PORT);
    (0..CONNECTIONS).map(|_| open()).collect()
}

#[test]
fn no_command_within_a_value_runs_where_a_stream_is_spread() {
    let mut mirror = Mirror::idle();
    mirror.old_server.signal(Signal::SIGKILL);
    mirror.old_server = Memcached::start_multipath(&mirror.old, PORT);
    use_two_subflows(&mirror);
    // Or the first has sent all before the second is there.
    mirror.client.shell("tc qdisc add dev eth0 root tbf rate 200mbit burst 64kb limit 1mb");
    let leaks = mirror.watch_leaks();
    let mut clients = connect(&mirror);
    mirror.start();
    clients.extend(connect(&mirror));
    for round in 0..4 {
        for (i, client) in clients.iter_mut().enumerate() {
            client.set(&format!("value{round}-{i}"), &evil());
            assert_eq!(client.get("nothing"), None);
        }
    }
    assert!(counted(&mirror, "MPJoinSynAckRx") > 0, "subflows joined");
    let (source, target) = mirror.settled();
    let items = mirror.new_server.items(&mirror.new);
    assert!(items.is_empty(), "{} items, such as {:?}", items.len(), items.first_key_value());
    assert_eq!(mirror.new_server.clients(&mirror.new), 0, "no connection of the new server");
    assert!(source["skipped_mptcp"] > 0, "{source:?}");
    assert_eq!(target["opened"], 0, "by data that has MPTCP: {target:?}");
    assert!(target["discarded_mptcp"] > 0, "{target:?}");
    leaks.assert_none();
}

#[test]
fn a_client_whose_offer_is_declined_is_mirrored() {
    let mirror = Mirror::running();
    use_two_subflows(&mirror);
    let leaks = mirror.watch_leaks();
    let mut clients = connect(&mirror);
    for (i, client) in clients.iter_mut().enumerate() {
        client.set(&format!("value{i}"), &evil());
        client.get(&format!("value{i}"));
        client.set(&format!("behind{i}"), b"value");
    }
    assert_eq!(counted(&mirror, "MPCapableSYNTX"), CONNECTIONS as u64, "clients offer it");
    let (source, target) = mirror.settled();
    assert_eq!(source["skipped_mptcp"], 0, "{source:?}");
    assert_eq!(lost(&target), 0, "{target:?}");
    assert_eq!((target["opened"], target["adopted"]), (CONNECTIONS as u64, 0), "{target:?}");
    leaks.assert_none();
    mirror.assert_same_items();
}
