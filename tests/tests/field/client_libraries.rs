//! Client libraries with their defaults, on a connection that is older than the mirror and on a new one: both servers
//! keep the same afterwards. The first request of each older connection, which is lost, is for a key that nobody has.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{ChildStdin, Stdio},
};

use mirror_tests::{
    host::Running,
    memcached::Memcached,
    mirror::{Mirror, PORT},
};

/// Items that a script leaves.
const ITEMS: usize = 2 * (40 + 1 + 90 + 1);
/// Where the scripts are.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/field/client_libraries");
/// Where `cargo xtask field --all` puts what comes from npm.
const MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/field/node_modules");

/// A library's script, which has a connection to production.
struct Script {
    name: &'static str,
    child: Running,
    stdin: ChildStdin,
}

impl Script {
    fn start(mirror: &Mirror, [name, interpreter, script]: [&'static str; 3]) -> Self {
        let (address, port) = (mirror.old.v4().to_string(), PORT.to_string());
        let mut child = mirror
            .client
            .command(interpreter)
            .args([&format!("{SCRIPTS}/{script}"), &address, &port, name])
            .env("NODE_PATH", MODULES)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the interpreter is installed");
        let stdin = child.stdin.take().expect("a pipe");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let child = Running(child);
        let mut said = String::new();
        stdout.read_line(&mut said).expect("the script says something");
        assert_eq!(said, "ready\n", "{name}");
        Self { name, child, stdin }
    }

    /// Has it do its work.
    fn go(mut self) {
        self.stdin.write_all(b"go\n").expect("the script listens");
        let status = self.child.0.wait().expect("the script is a child of this process");
        assert!(status.success(), "{}: {status}", self.name);
    }
}

fn assert_same_on_both(libraries: &[[&'static str; 3]]) {
    let mirror = Mirror::idle();
    let scripts: Vec<_> =
        libraries.iter().map(|library| Script::start(&mirror, *library)).collect();
    mirror.start();
    let leaks = mirror.watch_leaks();
    scripts.into_iter().for_each(Script::go);
    let (_, target) = mirror.settled();
    assert_eq!(target["discarded_unsynced"], libraries.len() as u64, "first requests: {target:?}");
    let items = |server: &Memcached, host| server.items(host).len();
    let all = ITEMS * libraries.len();
    assert_eq!(items(&mirror.old_server, &mirror.old), all, "production keeps all");
    mirror.assert_same_items();
    leaks.assert_none();
}

#[test]
fn of_many_languages() {
    assert_same_on_both(&[
        ["php-memcached", "php", "library.php"],
        ["dalli", "/usr/bin/ruby", "library.rb"],
        ["pymemcache", "/usr/bin/python3", "library.py"],
        ["pylibmc", "/usr/bin/python3", "library.py"],
    ]);
}

#[test]
#[ignore = "long: cargo xtask field --all"]
fn of_javascript() {
    assert_same_on_both(&[["memjs", "node", "library.js"]]);
}
