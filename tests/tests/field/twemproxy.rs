//! A proxy before production: twemproxy makes one connection of many clients, with as many requests on their way as come.

use std::{fs, net::IpAddr, path::Path, thread};

use mirror_tests::{
    client::{Connection, set_request},
    host::Running,
    mirror::{Mirror, PORT},
    wait,
};

const LISTEN: u16 = 22121;
const CLIENTS: usize = 30;
const ROUNDS: usize = 20;

/// A proxy on the clients' host, which is connected to production when this returns.
fn proxy(mirror: &Mirror) -> Running {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("twemproxy");
    fs::create_dir_all(&folder).expect("a folder can be made");
    let server = mirror.old.v4();
    let configuration = format!(
        "pool:\n  listen: 127.0.0.1:{LISTEN}\n  distribution: ketama\n  preconnect: true\n  servers:\n    - {server}:{PORT}:1\n"
    );
    fs::write(folder.join("configuration"), configuration).expect("a file can be written");
    let mut command = mirror.client.command("nutcracker");
    command.args(["-c", "configuration", "-p", "pid", "-o", "log", "-a", "127.0.0.1"]);
    let proxy = Running(command.current_dir(&folder).spawn().expect("nutcracker is installed"));
    wait::until("the proxy to connect to production", || {
        (mirror.old_server.clients(&mirror.old) == 1).then_some(())
    });
    proxy
}

fn connect(mirror: &Mirror) -> Connection {
    Connection::open(&mirror.client, IpAddr::from([127, 0, 0, 1]), LISTEN)
}

/// Clients of the proxy that do not wait for each other, each with keys of its own.
fn work(mirror: &Mirror, name: &str) {
    let work = |number: usize| {
        let mut client = connect(mirror);
        let key = |round: usize| format!("{name}-{number}-{round}");
        for round in 0..ROUNDS {
            let value = vec![b'v'; 1 + round * round * 20];
            // Two requests at once.
            let requests = [set_request(&key(round), b"older"), set_request(&key(round), &value)];
            client.send(&requests.concat());
            assert_eq!(client.read_exact(16), b"STORED\r\nSTORED\r\n");
            assert!(client.get(&key(round)) == Some(value), "production gives it back");
            let keys: String = (0..ROUNDS).map(|round| format!(" {}", key(round))).collect();
            let found = client.ask(format!("get{keys}\r\n"), "END\r\n");
            assert!(found.starts_with(b"VALUE "), "those that are there by now");
            if round % 4 == 3 {
                let request = format!("delete {}\r\n", key(round - 1));
                assert_eq!(client.ask(request, "\r\n"), b"DELETED\r\n");
            }
        }
    };
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            scope.spawn(move || work(number));
        }
    });
    assert_eq!(mirror.old_server.clients(&mirror.old), 1, "they share one connection");
}

#[test]
fn its_connection_is_older_than_the_mirror_and_then_new() {
    const ITEMS: usize = CLIENTS * ROUNDS * 3 / 4;
    let mirror = Mirror::idle();
    let older = proxy(&mirror);
    connect(&mirror).set("before", b"value");
    connect(&mirror).ask("delete before\r\n", "\r\n");
    mirror.start();
    let leaks = mirror.watch_leaks();
    // Which is lost.
    connect(&mirror).get("nothing");
    work(&mirror, "older");
    let (_, target) = mirror.settled();
    assert_eq!((target["adopted"], target["opened"]), (1, 0), "{target:?}");
    mirror.assert_same_items();
    assert_eq!(mirror.new_server.items(&mirror.new).len(), ITEMS);

    drop(older);
    wait::until("its connection to end", || {
        (mirror.old_server.clients(&mirror.old) == 0).then_some(())
    });
    let _new = proxy(&mirror);
    work(&mirror, "new");
    mirror.settled();
    mirror.assert_same_items();
    assert_eq!(mirror.new_server.items(&mirror.new).len(), 2 * ITEMS);
    leaks.assert_none();
}
