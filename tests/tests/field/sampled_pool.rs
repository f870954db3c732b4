//! A client with a pool of connections, of which `--sample` takes some: what one connection stores, another one
//! deletes.

use mirror_tests::{
    Host,
    client::Connection,
    mirror::{Mirror, PORT},
};

const POOL: usize = 20;
const KEYS: usize = 100;

/// Stores each key by one connection of a pool.
fn store_all(pool: &mut [Connection], name: impl Fn(usize) -> String) {
    for key in 0..KEYS {
        pool[key % POOL].set(&name(key), b"older");
    }
}

/// Changes each key by another connection than the one that stored it.
fn change_all(pool: &mut [Connection], name: impl Fn(usize) -> String) {
    for key in 0..KEYS {
        let next = &mut pool[(key + 1 + key / POOL) % POOL];
        if key % 2 == 0 {
            next.set(&name(key), b"newer");
        } else {
            assert_eq!(next.ask(format!("delete {}\r\n", name(key)), "\r\n"), b"DELETED\r\n");
        }
    }
}

#[test]
fn a_sample_of_connections_is_said_to_leave_stale_keys() {
    let mirror = Mirror::idle();
    let map = format!("--map {PORT}={}:{PORT}", mirror.new.v4());
    let warned = |options: &str| {
        let output = mirror.old.agent(&format!("attach eth0 {map} {options}"));
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let sample = "a sample of connections is for load tests";
    for options in ["--sample 50%", ""] {
        let said = warned(options);
        assert!(said.contains(sample) && said.contains("--sample-by client-address"), "{said}");
        assert!(mirror.old.agent_ok("status").contains(sample));
    }
    for options in ["--sample-by client-address", "--sample 100% --sample-by connection"] {
        let said = warned(options);
        assert!(!said.contains(sample), "{options}: {said}");
        assert!(!mirror.old.agent_ok("status").contains(sample), "{options}");
    }
}

#[test]
fn a_sample_by_client_address_leaves_no_stale_keys() {
    let mut mirror = Mirror::idle();
    mirror.start_with("--sample 50% --sample-by client-address");
    // Of so many clients, one in 2^11 tries are all in the sample, or none.
    let others: Vec<_> =
        (0..11).map(|number| mirror.lab.host(&format!("client{number}"))).collect();
    let clients: Vec<_> = std::iter::once(&mirror.client).chain(&others).collect();
    let name = |number: usize| move |key: usize| format!("client{number}key{key}");
    let pool = |client: &&Host| -> Vec<Connection> {
        (0..POOL).map(|_| Connection::open(client, mirror.old.v4(), PORT)).collect()
    };
    let mut pools: Vec<_> = clients.iter().map(pool).collect();
    for (number, pool) in pools.iter_mut().enumerate() {
        store_all(pool, name(number));
    }
    // Connections are independent of each other: what is stored has to be there before another one changes it.
    mirror.settled();
    for (number, pool) in pools.iter_mut().enumerate() {
        change_all(pool, name(number));
    }
    let (source, target) = mirror.settled();
    let opened = target["opened"];
    assert!(opened.is_multiple_of(POOL as u64), "whole pools: {target:?}");
    assert!(source["skipped_sample"] > 0 && opened > 0, "{source:?}, {target:?}");
    for number in 0..clients.len() {
        mirror.assert_none_stale((0..KEYS).map(name(number)));
    }
}
