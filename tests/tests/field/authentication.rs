//! memcached with authentication: by text (`-Y`), and by SASL (`-S`). A connection that is older than the mirror is
//! refused by the new one; it is joined once, and said so.

use std::{fs, path::PathBuf};

use mirror_tests::{
    client::{Connection, binary},
    memcached::Memcached,
    mirror::{Mirror, PORT},
};

const REQUESTS: usize = 20;

/// How a client says who it is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    Text,
    Sasl,
}
use By::{Sasl, Text};

const GET: u8 = 0x00;
const SET: u8 = 0x01;
const AUTHENTICATE: u8 = 0x21;

impl By {
    /// Both servers ask for a user's password. `name` is the test's own.
    fn mirror(self, name: &str) -> Mirror {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).expect("a folder can be made");
        let path = |file: &str| folder.join(file).display().to_string();
        let mut mirror = Mirror::idle();
        let users = path("users");
        if self == Text {
            fs::write(&users, "user:password\n").expect("a file can be written");
            let options = ["-Y", &users, "-U", "0"];
            mirror.restart_old(&options);
            mirror.restart_new(&options);
        } else {
            let configuration = format!(
                "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {users}\nmech_list: plain\n"
            );
            fs::write(path("memcached.conf"), configuration).expect("a file can be written");
            let add = "saslpasswd2 -p -c -a memcached -u \"$(hostname)\"";
            mirror.old.shell(&format!("printf password | {add} -f '{users}' user"));
            mirror.old_server.kill();
            mirror.new_server.kill();
            let folder = format!("SASL_CONF_PATH={}", folder.display());
            let start =
                |host| Memcached::start_by(host, PORT, &["env", &folder], &["-S", "-U", "0"]);
            mirror.old_server = start(&mirror.old);
            mirror.new_server = start(&mirror.new);
        }
        mirror
    }

    fn authenticate(self, client: &mut Connection) {
        match self {
            Text => client.set("user", b"user password"),
            Sasl => {
                client.send(&binary(AUTHENTICATE, &[], "PLAIN", b"\0user\0password"));
                assert_eq!(client.read_binary().status, 0, "the password is right");
            }
        }
    }

    fn set(self, client: &mut Connection, key: &str) {
        match self {
            Text => client.set(key, b"value"),
            Sasl => {
                client.send(&binary(SET, &[0; 8], key, b"value"));
                assert_eq!(client.read_binary().status, 0, "{key}");
            }
        }
    }

    /// How many keys of this name the server on the new host holds.
    fn held(self, mirror: &Mirror, name: &str) -> usize {
        let mut inside = mirror.new_server.inside(&mirror.new);
        self.authenticate(&mut inside);
        let mut is_held = |key: &str| match self {
            Text => inside.get(key).is_some(),
            Sasl => {
                inside.send(&binary(GET, &[], key, &[]));
                inside.read_binary().status == 0
            }
        };
        (0..REQUESTS).filter(|number| is_held(&format!("{name}{number}"))).count()
    }
}

fn assert_new_and_older_connections_are_as_they_should(by: By) {
    let mirror = by.mirror(&format!("authentication-{by:?}"));
    let mut client = mirror.connect();
    by.authenticate(&mut client);
    mirror.start();
    let leaks = mirror.watch_leaks();
    let [_, target] = [0..REQUESTS / 2, REQUESTS / 2..REQUESTS].map(|numbers| {
        numbers.for_each(|number| by.set(&mut client, &format!("older{number}")));
        // The new server has time to say what it thinks of them.
        mirror.settled().1
    });
    let mut client = mirror.connect();
    by.authenticate(&mut client);
    (0..REQUESTS).for_each(|number| by.set(&mut client, &format!("new{number}")));
    mirror.settled();
    leaks.assert_none();
    assert_eq!(by.held(&mirror, "new"), REQUESTS, "a new connection is authenticated on both");

    let held = by.held(&mirror, "older");
    assert_eq!(held, 0, "the new server does not know who they are of: {target:?}");
    // What was on its way when the new server said so first.
    let given = target["applied"] - target["withdrawn"];
    assert!(given <= REQUESTS as u64 / 2, "{given} of {REQUESTS} were given to it: {target:?}");
    assert_eq!(target["adopted"], 1, "joined once: {target:?}");
    assert!(target["error_unauthenticated"] > 0, "{target:?}");
    assert!(target["discarded_unknown_user"] >= REQUESTS as u64 / 2, "{target:?}");
    let check = mirror.new.agent("status --check");
    let said = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.code() == Some(1) && said.contains("unauthenticated"), "{said}");
}

#[test]
fn by_text() {
    assert_new_and_older_connections_are_as_they_should(Text);
}

#[test]
fn by_sasl() {
    assert_new_and_older_connections_are_as_they_should(Sasl);
}
