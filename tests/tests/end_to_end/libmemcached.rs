//! libmemcached's own clients against production while it is mirrored: afterwards both servers keep the
//! same and counted the same.

use std::{
    fs,
    path::{Path, PathBuf},
};

use mirror_tests::{
    memcached::Memcached,
    mirror::{Mirror, PORT},
    wait,
};

/// Seconds since 1970 (January 2038), which both servers' clocks make the same of.
const EXPIRES: &str = "2147000000";

/// The protocols of libmemcached, as an option of its tools.
const PROTOCOLS: [(&str, &str); 2] = [("text", ""), ("binary", "--binary")];

/// Runs a tool of libmemcached's against production, waits until the new server had the same, and returns
/// what the tool printed. `line` is for a shell: the tool must succeed, or fail after a `!`.
fn tool(mirror: &Mirror, folder: &Path, line: &str) -> String {
    let servers = format!("MEMCACHED_SERVERS={}:{PORT}", mirror.old.v4());
    let said = mirror.client.shell(&format!("cd '{}'; export {servers}; {line}", folder.display()));
    mirror.caught_up();
    said
}

/// A folder with files of these names and lengths, for the tests' build to keep.
fn files(folder: &str, files: impl IntoIterator<Item = (String, usize)>) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    fs::create_dir_all(&folder).expect("a folder can be made");
    for (name, length) in files {
        let content: Vec<u8> = name.bytes().cycle().take(length).collect();
        fs::write(folder.join(name), content).expect("a file can be written");
    }
    folder
}

#[test]
fn its_tools_do_the_same_on_both_servers() {
    const LENGTHS: [usize; 5] = [1, 1_400, 20_000, 300_000, 1_048_000];
    let of_one = |kind| LENGTHS.map(|length| (format!("{kind}{length}"), length));
    let folder =
        files("libmemcached-tools", PROTOCOLS.map(|(kind, _)| of_one(kind)).into_iter().flatten());
    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    let run = |line: &str| tool(&mirror, &folder, line);
    for (kind, protocol) in PROTOCOLS {
        run(&format!("memccp {protocol} {kind}*"));
        run(&format!("memcflush {protocol}"));
        run(&format!("! memcexist {protocol} {kind}1"));
    }
    for (kind, protocol) in PROTOCOLS {
        run(&format!("memccp {protocol} --flags 7 --expire {EXPIRES} {kind}*"));
        run(&format!("! memccp {protocol} --add {kind}1"));
        run(&format!("memccp {protocol} --replace --flags 9 {kind}1400"));
        run(&format!("memccp {protocol} --buffer {kind}20000"));
        let value = run(&format!("memccat {protocol} {kind}300000"));
        assert_eq!(value.len(), 300_001, "with a line's end");
        run(&format!("! memccat {protocol} {kind}-nothing"));
        run(&format!("memcexist {protocol} {kind}1048000"));
        run(&format!("memctouch {protocol} --expire 2146000000 {kind}300000"));
        run(&format!("memcrm {protocol} {kind}1"));
        run(&format!("! memcrm {protocol} {kind}1"));
        assert!(run(&format!("memcstat {protocol}")).contains("curr_items"));
        run(&format!("memcstat {protocol} --server-version"));
        run(&format!("memcstat {protocol} --analyze=latency --iterations 20"));
    }
    run("memcping");
    // It lists what memcached has moved to its list of cold items by now.
    wait::until("a list of all but the two that were removed", || {
        (run("memcdump").lines().count() == 8).then_some(())
    });

    mirror.assert_all_applied(wire);
    mirror.assert_same_counts(&[]);
    assert_eq!(mirror.new_server.items(&mirror.new).len(), 8);
    mirror.assert_same_items();
}

#[test]
fn its_load_generators_do_the_same_on_both_servers() {
    let folder = files("libmemcached-load", []);
    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    let run = |line: &str| tool(&mirror, &folder, line);
    for (_, protocol) in PROTOCOLS {
        for test in ["set", "get", "mget"] {
            for sending in ["", "--tcp-nodelay", "--non-blocking"] {
                run(&format!("memcslap {protocol} {sending} -t {test} -c 8 -e 100"));
            }
        }
        run(&format!("memcslap {protocol} --noreply --non-blocking -t set -c 8 -e 100"));
    }
    for options in ["", "--binary", "--division=20 --overwrite=0.5", "--fixed_size=20000"] {
        run(&format!("memcaslap {options} --threads=2 --concurrency=16 --execute_number=2000"));
    }

    let target = mirror.assert_all_applied(wire);
    assert!(target["opened"] > 150, "{target:?}");
    // One thread reads what another one stores: a hit or a miss, as the servers' threads come to it.
    mirror.assert_same_counts(&["get_hits", "get_misses"]);
    mirror.assert_same_items_but(&["fetch="]);
}

#[test]
fn it_sends_datagrams_which_do_the_same_on_both_servers() {
    for (kind, protocol) in PROTOCOLS {
        let names: Vec<String> = (0..50).map(|i| format!("{kind}{i}")).collect();
        let folder = files("libmemcached-udp", names.iter().map(|name| (name.clone(), 1_000)));
        let mirror = Mirror::running();
        let wire = mirror.watch_new();
        tool(&mirror, &folder, &format!("memccp {protocol} --udp --flags 7 {}", names.join(" ")));

        let target = mirror.assert_all_applied(wire);
        assert_eq!(target["applied"], 50, "{target:?}");
        mirror.assert_same_counts(&[]);
        assert_eq!(mirror.new_server.items(&mirror.new).len(), 50);
        mirror.assert_same_items();
    }
}

#[test]
fn its_library_does_the_same_on_both_servers_however_it_sends() {
    const SCRIPT: &str = include_str!("libmemcached.py");
    let mirror = Mirror::running();
    let wire = mirror.watch_new();
    let (v4, v6) = (mirror.old.v4(), mirror.old.v6());
    let servers = [format!("{v4}:{PORT}"), format!("[{v6}]:{PORT}")];
    mirror.client.output("/usr/bin/python3", &["-c", SCRIPT, &servers[0], &servers[1]]);

    mirror.assert_all_applied(wire);
    mirror.assert_same_counts(&[]);
    // Two addresses, two protocols, six ways to send: 100 of many, five large ones, three others.
    assert_eq!(mirror.new_server.items(&mirror.new).len(), 2 * 2 * 6 * 108);
    mirror.assert_same_items();
}

#[test]
fn its_cas_fails_on_the_new_server_until_the_key_is_set_again() {
    const SCRIPT: &str = "
import sys, pylibmc
client = pylibmc.Client([sys.argv[1]], binary=sys.argv[2] == '--binary', behaviors={'cas': True})
for key in ('swapped', 'again'):
    assert client.set(key, b'first')
    value, unique = client.gets(key)
    assert client.cas(key, b'second', unique)
    assert not client.cas(key, b'third', unique)
assert client.set('again', b'fourth')
";
    for (_, protocol) in PROTOCOLS {
        let mirror = Mirror::running();
        let wire = mirror.watch_new();
        // Each store takes a number: the new server's are others from here on.
        let mut inside = mirror.new_server.inside(&mirror.new);
        (0..100).for_each(|_| inside.set("own", b"1"));
        let server = format!("{}:{PORT}", mirror.old.v4());
        mirror.client.output("/usr/bin/python3", &["-c", SCRIPT, &server, protocol]);

        mirror.assert_all_applied(wire);
        mirror.assert_same(["again"]);
        let get = |server: &Memcached, host| server.inside(host).get("swapped");
        assert_eq!(get(&mirror.old_server, &mirror.old), Some(b"second".to_vec()));
        assert_eq!(get(&mirror.new_server, &mirror.new), Some(b"first".to_vec()));
        assert_eq!(mirror.old_server.stat(&mirror.old, "cas_hits"), 2);
        assert_eq!(mirror.new_server.stat(&mirror.new, "cas_badval"), 4);
    }
}
