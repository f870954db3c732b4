//! Commands that read like a question and switch something on in the server: `stats detail on`, `stats sizes_enable`.

use mirror_tests::{expected::to_fail, mirror::Mirror};

const REASON: &str = "stats with a word behind it is blocked only where the word is reset";

/// A setting of the new server.
fn setting(mirror: &Mirror, name: &str) -> String {
    let mut inside = mirror.new_server.inside(&mirror.new);
    let settings = inside.ask("stats settings\r\n", "END\r\n");
    let line = format!("STAT {name} ");
    String::from_utf8_lossy(&settings)
        .lines()
        .find_map(|it| it.strip_prefix(&line))
        .unwrap_or_else(|| panic!("memcached has a setting {name}"))
        .to_owned()
}

#[test]
fn are_not_turned_on_the_new_host() {
    const SWITCHES: [(&str, &str); 2] =
        [("stats detail on", "detail_enabled"), ("stats sizes_enable", "track_sizes")];
    let mirror = Mirror::running();
    let mut client = mirror.connect();
    let settings = SWITCHES.map(|(command, name)| {
        let before = setting(&mirror, name);
        client.set(&format!("before-{name}"), b"value");
        client.ask(format!("{command}\r\n"), "\r\n");
        client.set(&format!("behind-{name}"), b"value");
        mirror.settled();
        mirror.assert_copied(["before", "behind"].map(|it| format!("{it}-{name}")));
        (name, before, setting(&mirror, name))
    });
    for (name, before, behind) in settings {
        to_fail(REASON, "of the new server went from no to yes", || {
            assert!(before == behind, "{name} of the new server went from {before} to {behind}");
        });
    }
}
